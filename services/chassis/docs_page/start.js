// Shows the OpenAPI documents of every service in this process, with a list to choose from.
fetch("/api/openapi")
  .then((answer) => answer.json())
  .then(({ items }) =>
    SwaggerUIBundle({
      urls: items.map((name) => ({ name, url: `/api/openapi/${name}.json` })),
      dom_id: "#documentation",
      deepLinking: true,
      validatorUrl: null,
      presets: [SwaggerUIBundle.presets.apis, SwaggerUIStandalonePreset],
      layout: "StandaloneLayout",
    }),
  );

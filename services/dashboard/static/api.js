// The API, as the page calls it: by cookie, renewed once when it has run out; a problem document becomes an Error.
const ROOT = "/api/v1/";

export class Problem extends Error {
  constructor(status, document) {
    super([document.detail, ...(document.errors ?? []).map((e) => `${e.field}: ${e.message}`)].join(" · "));
    this.status = status;
    this.document = document;
  }
}

const send = (method, path, { json, form } = {}) =>
  fetch(ROOT + path, {
    method,
    headers: json ? { "Content-Type": "application/json" } : {},
    body: json ? JSON.stringify(json) : form,
  });

export async function call(method, path, options = {}) {
  let answer = await send(method, path, options);
  if (answer.status === 401 && !path.startsWith("sessions")) {
    const renewed = await send("POST", "sessions/refresh", { json: {} });
    if (renewed.ok) answer = await send(method, path, options);
  }
  if (!answer.ok) throw new Problem(answer.status, await answer.json().catch(() => ({ detail: answer.statusText })));
  return answer.status === 204 || answer.headers.get("Content-Length") === "0" ? null : answer.json();
}

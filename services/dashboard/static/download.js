// Files that the browser itself fetches, by cookie: so the cookie must be good.
import { fresh } from "./api.js";
import { element, guarded } from "./say.js";

/** Make a link to a file renew the session first, where that is due. */
export const downloads = (link) =>
  link.addEventListener("click", guarded(async () => {
    await fresh();
    element("a", "", { href: link.href, download: "" }).click();
  }));

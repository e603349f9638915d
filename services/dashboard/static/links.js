// Where the links in our mails lead, and the way to have one sent. The secret in a link leaves the address bar at once, so that it
// stays out of the history, of bookmarks and of what is shared.
import { ask, Problem, signOut } from "./api.js";
import { find, guarded, notice, trouble } from "./say.js";
import { text } from "./texts.js";

/** The paths at which a form is shown, and its section. */
export const FORMS = { "/forgot-password": "forgot", "/reset-password": "reset" };

let secret = "";

/** Take the link's secret out of the address bar; without one, offer to have a link sent. */
export function openReset() {
  secret = new URLSearchParams(location.search).get("token") ?? "";
  history.replaceState(null, "", secret ? "/reset-password" : "/forgot-password");
}

/** Make the forms work. `moved` is called when another one is to be shown, `chosen` when the new password is set. */
export function hangLinks(moved, chosen) {
  find("forgot-form").addEventListener("submit", guarded(async ({ target }) => {
    const { email } = Object.fromEntries(new FormData(target));
    notice("");
    await ask("POST", "accounts/password-resets", { email });
    target.reset();
    notice(text("resetMailed", { email }));
  }));

  find("reset-form").addEventListener("submit", guarded(async ({ target }) => {
    const { password } = Object.fromEntries(new FormData(target));
    await ask("POST", "accounts/password-resets/complete", { token: secret, password });
    secret = "";
    target.reset();
    history.replaceState(null, "", "/");
    await signOut(); // this browser's session has ended with all others; only its cookies are left
    chosen();
  }, (error) => {
    if (!(error instanceof Problem) || error.kind !== "link-gone") return;
    history.replaceState(null, "", "/forgot-password");
    moved();
    trouble(new Problem(error.status, { type: "/problems/reset-link-gone" }));
  }));
}

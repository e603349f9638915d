// Where the links in our mails lead, and the way to have one sent. The secret in a link leaves the address bar, so that it stays
// out of the history, of bookmarks and of what is shared: at once, or, where opening the link is all there is to do, with its use.
import { ask, Problem, signOut } from "./api.js";
import { find, guarded, notice, trouble } from "./say.js";
import { text } from "./texts.js";

/** The paths at which a form is shown, and its section. */
export const FORMS = { "/forgot-password": "forgot", "/reset-password": "reset" };

const CALLS = { "/activate": "accounts/activation", "/confirm-email": "accounts/me/email/confirm", "/unlock": "accounts/unlocks" };
const DONE = { "/activate": "activated", "/confirm-email": "emailConfirmed", "/unlock": "unlocked" };
const forgetLink = () => history.replaceState(null, "", "/");

/** Whether opening the link is all that somebody has to do here. */
export const isUsedByOpening = () => location.pathname in CALLS;

/** Use the link: activate, confirm an address, unlock. One that Runnerly could not answer just now can be tried again. */
export async function useLink() {
  const token = new URLSearchParams(location.search).get("token") ?? "";
  const path = location.pathname;
  try {
    const { email = "" } = (await ask("POST", CALLS[path], { token })) ?? {};
    forgetLink();
    notice(text(DONE[path], { email }));
    find("sign-in").elements.email.value = email;
  } catch (error) {
    if (error instanceof Problem && error.status < 500) forgetLink();
    throw error;
  }
}

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
    forgetLink();
    await signOut(); // this browser's session has ended with all others; only its cookies are left
    chosen();
  }, (error) => {
    if (!(error instanceof Problem) || error.kind !== "link-gone") return;
    history.replaceState(null, "", "/forgot-password");
    moved();
    trouble(new Problem(error.status, { type: "/problems/reset-link-gone" }));
  }));
}

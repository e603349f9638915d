// What one signs in with: the password and the address.
import { call } from "./api.js";
import { find, guarded, notice } from "./say.js";
import { text } from "./texts.js";

/** Say which address it is, to people and to password managers. */
export function showCredentials({ email }) {
  find("email-now").textContent = email;
  for (const field of find("account").querySelectorAll("input[autocomplete=username]")) field.defaultValue = email; // which stays when the form is reset
}

/** Make the forms work; `elsewhere` is called when all other sessions have ended. */
export function hangCredentials(elsewhere) {
  find("password-form").addEventListener("submit", guarded(async ({ target }) => {
    await call("POST", "accounts/me/password", { json: Object.fromEntries(new FormData(target)) });
    target.reset();
    await elsewhere();
    notice(text("passwordChanged"));
  }));

  find("email-form").addEventListener("submit", guarded(async ({ target }) => {
    const json = Object.fromEntries(new FormData(target));
    await call("POST", "accounts/me/email", { json });
    target.reset();
    notice(text("emailMailed", { email: json.email }));
  }));
}

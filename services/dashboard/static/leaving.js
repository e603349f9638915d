// Leave: have the account deleted, and all that any service holds of its owner.
import { call, leave } from "./api.js";
import { find, guarded } from "./say.js";
import { text } from "./texts.js";

/** Make the form work; `gone` is called when the account is no more. */
export function hangLeaving(gone) {
  find("leave-form").addEventListener("submit", guarded(async ({ target }) => {
    if (!confirm(text("leaveSure"))) return;
    await call("POST", "accounts/me/deletion", { json: Object.fromEntries(new FormData(target)) });
    leave();
    gone();
  }));
}

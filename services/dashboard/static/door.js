// The door: sign in, create an account, follow the link in the mail.
import { ask, Problem, signIn } from "./api.js";
import { element, find, guarded, notice, trouble } from "./say.js";
import { language, text } from "./texts.js";

/** Make the forms work; `entered` is called when somebody has signed in. */
export function hangDoor(entered) {
  find("sign-in").addEventListener("submit", guarded(async ({ target }) => {
    const { email, password } = Object.fromEntries(new FormData(target));
    await signIn(email, password);
    target.reset();
    notice("");
    await entered();
  }, (error, { target }) => {
    const { email, password } = target.elements;
    if (error instanceof Problem && error.kind === "not-activated") trouble(error, mailAgain(email.value));
    else if (error instanceof Problem && error.status === 401) password.select();
  }));

  find("register").addEventListener("submit", guarded(async ({ target }) => {
    const { name, email, password } = Object.fromEntries(new FormData(target));
    const timezone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    notice("");
    await ask("POST", "accounts", { name, email, password, locale: language, timezone });
    target.reset();
    notice(text("mailed", { email }));
  }));
}

function mailAgain(email) {
  const button = element("button", text("mailAgain"), { type: "button", className: "plain" });
  button.addEventListener("click", guarded(async () => {
    await ask("POST", "accounts/activation-mails", { email });
    notice(text("mailed", { email }));
  }));
  return button;
}

/** Activate the account that the link's token names, and offer to sign in to it. */
export async function activate() {
  const token = new URLSearchParams(location.search).get("token") ?? "";
  const forgetLink = () => history.replaceState(null, "", "/");
  try {
    const { email } = await ask("POST", "accounts/activation", { token });
    forgetLink();
    notice(text("activated"));
    find("sign-in").elements.email.value = email;
  } catch (error) {
    if (error instanceof Problem && error.status < 500) forgetLink();
    throw error;
  }
}

/** Where to start typing. */
export function focusDoor() {
  const { email, password } = find("sign-in").elements;
  (email.value ? password : email).focus();
}

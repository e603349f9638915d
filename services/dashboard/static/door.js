// The door: sign in, create an account.
import { ask, Problem, signIn } from "./api.js";
import { element, find, guarded, notice, trouble } from "./say.js";
import { language, text } from "./texts.js";

/** Make the forms work; `entered` is called when somebody has signed in. */
export function hangDoor(entered) {
  find("sign-in").addEventListener("submit", guarded(async ({ target }) => {
    const { email, password, otp } = Object.fromEntries(new FormData(target));
    try {
      await signIn(email, password, otp);
    } catch (error) {
      if (!(error instanceof Problem) || error.kind !== "second-factor-required") throw error;
      askForCode(true);
      notice(text("codeAsked"));
      return;
    }
    target.reset();
    askForCode(false);
    notice("");
    await entered();
  }, (error, { target }) => {
    const { email, password, otp } = target.elements;
    if (!(error instanceof Problem) || error.status !== 401) return;
    if (error.kind === "not-activated") trouble(error, mailAgain(email.value));
    else if (otp.disabled) password.select();
    else {
      find("trouble").replaceChildren(text("wrongCode"));
      otp.select();
    }
  }));
  find("sign-in").elements.email.addEventListener("input", () => askForCode(false)); // another account may take none

  find("register").addEventListener("submit", guarded(async ({ target }) => {
    const { name, email, password } = Object.fromEntries(new FormData(target));
    const timezone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    notice("");
    await ask("POST", "accounts", { name, email, password, locale: language, timezone });
    target.reset();
    notice(text("mailed", { email }));
  }));
}

/** Show the field for a code, or hide it; what is hidden is not sent. */
function askForCode(asked) {
  const { otp } = find("sign-in").elements;
  find("otp").hidden = otp.disabled = !asked;
  otp.value = "";
  if (asked) otp.focus();
}

function mailAgain(email) {
  const button = element("button", text("mailAgain"), { type: "button", className: "plain" });
  button.addEventListener("click", guarded(async () => {
    await ask("POST", "accounts/activation-mails", { email });
    notice(text("mailed", { email }));
  }));
  return button;
}

/** Where to start typing. */
export function focusDoor() {
  const { email, password } = find("sign-in").elements;
  (email.value ? password : email).focus();
}

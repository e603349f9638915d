// The second factor: turn it on with an app, see how many recovery codes are left, get new ones, turn it off.
import { call, Problem } from "./api.js";
import { day } from "./numbers.js";
import { element, find, guarded, notice } from "./say.js";
import { text } from "./texts.js";

const PLACE = "accounts/me/second-factor";
const PARTS = ["factor-begin", "factor-confirm", "factor-on", "codes"]; // of which one is shown

export const readFactor = () => call("GET", PLACE);

/** Show whether it is on. */
export function showFactor({ active, since, recovery_codes_left: left }) {
  find("factor-state").textContent = active ? text("factorOn", { day: day(since), left }) : text("factorOff");
  askForPassword(false);
  showPart(active ? "factor-on" : "factor-begin");
}

function showPart(id) {
  for (const each of PARTS) find(each).hidden = each !== id;
}

function askForPassword(asked) {
  find("factor-password").hidden = find("factor-begin").elements.password.disabled = !asked;
  if (asked) find("factor-begin").elements.password.focus();
}

/** Show recovery codes; they are not to be had again. */
function showCodes(codes) {
  showPart("codes");
  find("codes-list").replaceChildren(...codes.map((code) => element("li", code)));
  find("codes-save").href = `data:text/plain;charset=utf-8,${encodeURIComponent(`Runnerly\n\n${codes.join("\n")}\n`)}`;
  find("codes-title").focus();
}

function forgetCodes() {
  find("codes-list").replaceChildren();
  find("codes-save").removeAttribute("href");
}

/** Make it work. */
export function hangFactor() {
  find("factor-begin").addEventListener("submit", guarded(async ({ target }) => {
    const password = new FormData(target).get("password");
    let begun;
    try {
      begun = await call("POST", PLACE, { json: password ? { password } : {} });
    } catch (error) {
      if (!(error instanceof Problem) || error.kind !== "password-needed") throw error;
      askForPassword(true);
      notice(text("passwordNeeded"));
      return;
    }
    target.reset();
    notice("");
    find("qr").src = begun.qr_code;
    find("secret").textContent = begun.secret.replace(/(.{4})(?=.)/g, "$1 ");
    find("app-link").href = begun.otpauth_uri;
    showPart("factor-confirm");
    find("factor-confirm").elements.otp.focus();
  }));

  find("factor-confirm").addEventListener("submit", guarded(async ({ target }) => {
    const { recovery_codes: codes } = await call("POST", `${PLACE}/confirm`, { json: Object.fromEntries(new FormData(target)) });
    forgetSecret();
    showFactor(await readFactor());
    notice(text("factorTurnedOn"));
    showCodes(codes);
  }, (error, { target }) => target.elements.otp.select()));

  find("factor-cancel").addEventListener("click", guarded(async () => {
    forgetSecret();
    showFactor(await readFactor());
    find("factor-begin").querySelector("button").focus();
  }));

  find("factor-on").addEventListener("submit", guarded(async ({ target, submitter }) => {
    const json = Object.fromEntries(new FormData(target));
    const off = submitter?.value === "off";
    const answer = await call("POST", `${PLACE}/${off ? "remove" : "recovery-codes"}`, { json });
    target.reset();
    showFactor(await readFactor());
    notice(text(off ? "factorTurnedOff" : "codesRenewed"));
    if (off) find("factor-title").focus();
    else showCodes(answer.recovery_codes);
  }));

  find("codes-done").addEventListener("click", () => {
    forgetCodes();
    showPart("factor-on");
    find("factor-title").focus();
  });
}

/** Forget a secret that an app has by now, or that nobody wants. */
function forgetSecret() {
  find("factor-confirm").reset();
  find("qr").removeAttribute("src");
  find("secret").replaceChildren();
  find("app-link").removeAttribute("href");
}

/** Leave nothing secret on the page. */
export function clearFactor() {
  forgetSecret();
  forgetCodes();
}

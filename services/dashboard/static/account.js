// One's own account, at #account: the profile, what one signs in with, where one is signed in, and the ways out.
import { call } from "./api.js";
import { hangCredentials, showCredentials } from "./credentials.js";
import { hangDevices, readDevices, refreshDevices, showDevices } from "./devices.js";
import { clearFactor, hangFactor, readFactor, showFactor } from "./factor.js";
import { hangLeaving } from "./leaving.js";
import { hangProfile, showProfile } from "./profile.js";
import { find } from "./say.js";
import { clearTakeout, hangTakeout, showTakeout } from "./takeout.js";

/** Read the account as it is now, and what belongs to it. */
export async function readAccount() {
  const [account, factor, sessions] = await Promise.all([call("GET", "accounts/me"), readFactor(), readDevices()]);
  return { account, factor, sessions };
}

/** Show what was read. */
export function showAccount({ account, factor, sessions }) {
  clearAccount();
  showProfile(account);
  showCredentials(account);
  showFactor(factor);
  showDevices(sessions);
  showTakeout();
}

/** Leave nothing of anybody who was here. */
export function forgetAccount() {
  clearAccount();
  clearTakeout();
}

function clearAccount() {
  for (const form of find("account").querySelectorAll("form")) form.reset();
  for (const box of find("account").querySelectorAll(".filled")) box.replaceChildren();
  clearFactor();
}

/** Make the forms work; `changed` is called with an account that was changed, `gone` when it is no more. */
export function hangAccount(changed, gone) {
  hangProfile(changed);
  hangCredentials(refreshDevices);
  hangFactor();
  hangDevices();
  hangTakeout();
  hangLeaving(gone);
}

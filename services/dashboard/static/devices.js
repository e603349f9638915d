// Where one is signed in: the list, and how to sign out elsewhere.
import { call } from "./api.js";
import { moment } from "./numbers.js";
import { element, find, guarded, notice } from "./say.js";
import { text } from "./texts.js";

export const readDevices = async () => (await call("GET", "sessions")).items;

/** Show the sign-ins, the one that asks first. */
export function showDevices(sessions) {
  const sorted = [...sessions].sort((one, other) => other.current - one.current);
  find("devices").replaceChildren(...sorted.map(oneDevice));
  find("sign-out-others").hidden = sessions.length < 2;
}

function oneDevice(session) {
  const name = session.device ?? (session.user_agent || text("unknownDevice"));
  const line = element("li", "");
  const words = element("span", "");
  words.append(element("strong", name), " ", element("small", text("seen", { since: moment(session.created_at), at: moment(session.last_seen_at) })));
  line.append(words, session.current ? element("em", text("thisDevice")) : signOutButton(session, name));
  return line;
}

function signOutButton(session, name) {
  const button = element("button", text("signOut"), { type: "button", className: "plain" });
  button.setAttribute("aria-label", text("signOutDevice", { name }));
  button.addEventListener("click", guarded(async () => {
    await call("DELETE", `sessions/${encodeURIComponent(session.id)}`);
    await told(text("deviceOut", { name }));
  }));
  return button;
}

/** Make the button work that signs out everywhere else. */
export function hangDevices() {
  find("sign-out-others").addEventListener("click", guarded(async () => {
    await call("DELETE", "sessions/others");
    await told(text("othersOut"));
  }));
}

/** Show the sign-ins that are left. */
export const refreshDevices = async () => showDevices(await readDevices());

async function told(message) {
  await refreshDevices();
  notice(message);
  find("devices-title").focus();
}

// The front page: the door for who is not signed in, all runs for who is, one run at #run/<id>, the account at #account.
import { forgetAccount, hangAccount, readAccount, showAccount } from "./account.js";
import { call, onSignedElsewhere, Problem, SessionOver, signedIn, signOut } from "./api.js";
import { forgetImports } from "./archives.js";
import { focusDoor, hangDoor } from "./door.js";
import { FORMS, hangLinks, isUsedByOpening, openReset, useLink } from "./links.js";
import { unitsOf } from "./numbers.js";
import { onRemoved, readRun, showRun } from "./run.js";
import { showRuns } from "./runs.js";
import { element, find, guarded, notice, onSessionOver, trouble } from "./say.js";
import { language, text } from "./texts.js";

const RUN = /^#run\/(.+)$/;
const ACCOUNT = "#account";
const NEXT = /^#next=(.+)$/;
const SENT_FROM = ["/oauth/authorize", "/oauth/grants"];

let account = null;
let shown = null; // "door", or the address of what is shown
let turns = 0;

/** Show what the address says. Who goes on before it is there sees only where they went last. */
async function go() {
  const form = FORMS[location.pathname];
  if (form !== undefined) { showForm(form); return; }
  const turn = ++turns;
  const left = shown;
  if (!signedIn()) { closeUp(); return; }
  if (left === null || left === "door") show("loading");
  account ??= await call("GET", "accounts/me");
  if (goBack()) return;
  const here = location.hash;
  const place = placeAt(here, unitsOf(account));
  const read = await place.read();
  if (turn !== turns) return;
  shown = here;
  place.show(read, left);
}

/** The place that an address names: how it is read, and how it is shown to somebody who comes from another. */
function placeAt(here, units) {
  const id = RUN.exec(here)?.[1];
  if (id !== undefined) return { read: () => readRun(decodeURIComponent(id), units), show: (read) => openRun(read, units) };
  if (here === ACCOUNT) return { read: readAccount, show: openAccount };
  return { read: () => showRuns(units), show: (_, left) => openRuns(left) };
}

function openRun(read, units) {
  showRun(read, units);
  open("run", read.run.title);
}

function openAccount(read) {
  account = read.account;
  open("account", text("yourAccount"));
  showAccount(read);
}

function openRuns(left) {
  show("home");
  if (left === "door" || left === ACCOUNT) find("content").focus();
  else if (RUN.test(left)) find("runs").querySelector(`a[href="${left}"]`)?.focus();
}

/** Show a place from its top, and read from its heading on. */
function open(id, title) {
  show(id, title);
  scrollTo(0, 0);
  find(`${id}-title`).focus();
}

/** Send somebody back to the page that sent them here to sign in: one of this site's own, and no other. */
function goBack() {
  const asked = NEXT.exec(location.hash)?.[1];
  if (asked === undefined) return false;
  let to;
  try { to = new URL(decodeURIComponent(asked), location.origin); } catch { return false; }
  if (to.origin !== location.origin || !SENT_FROM.includes(to.pathname)) return false;
  location.replace(to);
  return true;
}

/** Show the door; only what is no secret stays on the page. */
function closeUp() {
  account = null;
  shown = "door";
  for (const table of document.querySelectorAll("tbody, #facts, #uploaded, #progress")) table.replaceChildren();
  forgetAccount();
  forgetImports();
  show("door");
}

/** Show a form that stands alone on its page. */
function showForm(id) {
  shown = "door";
  show(id, find(`${id}-title`).textContent);
  find(`${id}-form`).querySelector("input").focus();
}

/** Show the door, with what has happened. */
function backToDoor(message) {
  closeUp();
  notice(message);
  focusDoor();
}

function show(id, title = null) {
  for (const place of ["loading", "door", "forgot", "reset", "home", "run", "account"]) find(place).hidden = place !== id;
  document.title = title === null ? "Runnerly" : `${title} · Runnerly`;
  find("who").hidden = account === null;
  find("name").textContent = account?.name ?? "";
}

/** `go`, with a way on from what goes wrong. */
async function visit() {
  trouble(null);
  try {
    await go();
  } catch (error) {
    if (error instanceof SessionOver) { sessionOver(); return; }
    if (error instanceof Problem && error.status === 404 && RUN.test(location.hash)) {
      history.replaceState(null, "", "/");
      await visit();
      trouble(error);
      return;
    }
    const again = element("button", text("again"), { type: "button", className: "plain" });
    again.addEventListener("click", visit);
    find("loading").hidden = true;
    trouble(error, again);
  }
}

const sessionOver = () => backToDoor(text("sessionOver"));

async function showRemoved() {
  history.replaceState(null, "", "/");
  await visit();
  notice(text("removed"));
  find(find("some").hidden ? "none" : "runs-title").focus();
}

for (const spoken of document.querySelectorAll("[data-text]")) spoken.textContent = text(spoken.dataset.text);
for (const seen of document.querySelectorAll("[data-alt]")) seen.alt = text(seen.dataset.alt);
document.documentElement.lang = language;

find("skip").addEventListener("click", (event) => {
  event.preventDefault(); // the address says which run is shown
  find("content").focus();
});
find("sign-out").addEventListener("click", guarded(async () => {
  await signOut();
  history.replaceState(null, "", "/");
  backToDoor(text("signedOut"));
}));
hangAccount((changed) => {
  account = changed;
  find("name").textContent = account.name;
}, () => {
  history.replaceState(null, "", "/");
  backToDoor(text("gone"));
});
hangDoor(visit);
hangLinks(visit, () => backToDoor(text("passwordSet")));
onRemoved(showRemoved);
onSessionOver(sessionOver);
onSignedElsewhere(visit);
addEventListener("hashchange", () => { notice(""); visit(); });
addEventListener("pageshow", ({ persisted }) => { if (persisted) visit(); }); // Back, after signing out

if (location.pathname === "/reset-password") openReset();
if (isUsedByOpening()) {
  await guarded(useLink)();
  const refused = [...find("trouble").childNodes];
  await visit();
  if (refused.length) find("trouble").replaceChildren(...refused);
  if (!signedIn()) focusDoor();
} else {
  await visit();
  if (NEXT.test(location.hash) && !signedIn()) { notice(text("signInFirst")); focusDoor(); }
}

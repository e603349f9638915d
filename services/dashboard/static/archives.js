// An archive that is imported in the background: sent, followed as it goes on, stopped. One that goes on is there again
// when its runner comes back to the page.
import { call, fresh, SessionOver } from "./api.js";
import { number } from "./numbers.js";
import { element, find, guarded, notice } from "./say.js";
import { text } from "./texts.js";

export const LARGEST_ARCHIVE = 2 * 1024 * 1024 * 1024; // what the API takes
const AGAIN_MS = 3000;
const GOING_ON = ["waiting", "running"];

let followed = null; // the import that is shown
let events = null;
let changed = () => {};

export const isArchive = (file) => file.name.toLowerCase().endsWith(".zip");

/** Send an archive, and follow its import. */
export async function sendArchive(file) {
  const form = new FormData();
  form.append("file", file);
  follow(await call("POST", "imports", { form }));
}

/** Show the import that still goes on, if there is one; `whenAdded` is called when runs have been added. */
export async function showImports(whenAdded) {
  changed = whenAdded;
  if (followed !== null) return;
  const { items } = await call("GET", "imports?limit=1");
  if (items.length > 0 && GOING_ON.includes(items[0].state)) follow(items[0]);
}

/** Show none: somebody else may sit here now. */
export function forgetImports() {
  events?.close();
  events = followed = null;
  find("import").hidden = true;
  find("import-failed").replaceChildren();
}

function follow(one) {
  events?.close();
  followed = one.id;
  find("import").hidden = false;
  show(one);
  listen(one.id);
}

/** Listen to what the server tells; after a silence, or a sign-in that was renewed, again. */
function listen(id) {
  events = new EventSource(`/api/v1/imports/${encodeURIComponent(id)}/events`);
  events.onmessage = ({ data }) => show(JSON.parse(data));
  events.onerror = () => {
    events?.close();
    if (followed === id) setTimeout(() => resume(id), AGAIN_MS);
  };
}

async function resume(id) {
  if (followed !== id) return;
  try {
    await fresh();
    const one = await call("GET", `imports/${encodeURIComponent(id)}`);
    show(one);
    if (followed === id) listen(id);
  } catch (error) {
    if (error instanceof SessionOver) dispatchEvent(new Event("runnerly-session-over"));
    else setTimeout(() => resume(id), AGAIN_MS);
  }
}

function show(one) {
  const goesOn = GOING_ON.includes(one.state);
  find("import-bar").max = one.total;
  find("import-bar").value = one.done;
  find("import-stop").hidden = !goesOn;
  find("import-says").textContent = words(one);
  const told = find("import-failed");
  if (told.childElementCount !== one.failed.length) {
    told.replaceChildren(...one.failed.map(({ name, reason }) => element("li", `${name}: ${reason}`)));
  }
  find("import-failures").hidden = one.failures === 0;
  find("import-failures-title").textContent = text("importFailed", { failed: number(one.failures) });
  if (goesOn) return;
  events?.close();
  events = followed = null;
  notice(words(one));
  changed();
}

const words = (one) => {
  const counts = { done: number(one.done), of: number(one.total), added: number(one.added), known: number(one.duplicates) };
  return one.reason ?? text(`import.${one.state}`, counts);
};

find("import-stop").addEventListener("click", guarded(async () => {
  const id = followed;
  await call("DELETE", `imports/${encodeURIComponent(id)}`);
  show(await call("GET", `imports/${encodeURIComponent(id)}`));
}));

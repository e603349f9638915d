// All runs: adding files, the months, the list.
import { call, Problem, SessionOver } from "./api.js";
import { isArchive, LARGEST_ARCHIVE, sendArchive, showImports } from "./archives.js";
import { began, clock, month, number } from "./numbers.js";
import { element, find, guarded, reason, row } from "./say.js";
import { text } from "./texts.js";

const LARGEST = 64 * 1024 * 1024; // what the API takes
const PAGE = 20;

let units;
let next = null;

export const runLink = (run, words) => element("a", words, { href: `#run/${encodeURIComponent(run.id)}` });

/** Show the newest runs and the months. */
export async function showRuns(theirUnits) {
  units = theirUnits;
  const [page, months] = await Promise.all([call("GET", `activities?limit=${PAGE}`), call("GET", "stats?by=month")]);
  next = page.next;
  find("runs").tBodies[0].replaceChildren(...page.items.map(oneRow));
  find("months").tBodies[0].replaceChildren(...months.items.reverse().map(oneMonth));
  find("more").hidden = next === null;
  find("none").hidden = page.items.length > 0;
  find("some").hidden = page.items.length === 0;
  await showImports(() => showRuns(units).catch(() => {}));
}

const wide = (tr) => { tr.lastElementChild.className = "wide"; return tr; };

const oneRow = (run) =>
  wide(row(began(run), runLink(run, run.title), units.distance(run.distance_m), clock(run.moving_s), units.pace(run.average_speed_mps)));

const oneMonth = (m) =>
  wide(row(month(m.period), number(m.activities), units.distance(m.distance_m), clock(m.moving_s), units.height(m.ascent_m)));

find("more").addEventListener("click", guarded(async () => {
  const page = await call("GET", `activities?limit=${PAGE}&cursor=${encodeURIComponent(next)}`);
  next = page.next;
  const rows = page.items.map(oneRow);
  find("runs").tBodies[0].append(...rows);
  find("more").hidden = next === null;
  rows[0]?.querySelector("a").focus();
}));

find("upload").addEventListener("submit", guarded(async ({ target }) => {
  const files = [...target.elements.files.files];
  const list = find("uploaded");
  list.replaceChildren();
  list.hidden = false;
  let added = 0;
  for (const [done, file] of files.entries()) {
    find("progress").textContent = text("uploading", { name: file.name, done: done + 1, of: files.length });
    const told = await uploaded(file);
    added += told.className === "" && !isArchive(file) ? 1 : 0;
    list.append(told);
    list.scrollTop = list.scrollHeight;
  }
  const runs = files.filter((file) => !isArchive(file));
  find("progress").textContent = runs.length === 0 ? "" : text("uploaded", { added, of: runs.length });
  target.reset();
  await showRuns(units);
}));

/** One file sent; the list item that says how it went. A file that is refused stops none of the others. */
async function uploaded(file) {
  const told = element("li", `${file.name}: `);
  try {
    if (file.size > (isArchive(file) ? LARGEST_ARCHIVE : LARGEST)) throw new Problem(413, { type: "/too-large" });
    if (isArchive(file)) {
      await sendArchive(file);
      told.append(text("importSent"));
      return told;
    }
    const form = new FormData();
    form.append("file", file);
    const answer = await call("POST", "activities", { form });
    for (const run of answer.items ?? [answer]) told.append(runLink(run, `${run.title}, ${began(run)}`), " ");
  } catch (error) {
    if (error instanceof SessionOver) throw error;
    told.className = "refused";
    told.append(reason(error), " ");
    const existing = error instanceof Problem && error.document.existing;
    if (existing) told.append(runLink(existing, text("seeIt")));
  }
  return told;
}

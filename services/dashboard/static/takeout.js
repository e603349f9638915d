// Take everything out: have an archive made, see how far it is, download it. An id is remembered for as long as the tab is.
import { call, Problem } from "./api.js";
import { downloads } from "./download.js";
import { bytes, moment } from "./numbers.js";
import { find, guarded } from "./say.js";
import { text } from "./texts.js";

const PLACE = "accounts/me/exports";
const ASKED = "runnerly.export";
const EVERY_MS = 2_000;

let turns = 0;

const pause = () => new Promise((resolve) => setTimeout(resolve, EVERY_MS));

/** Go on with an archive that was asked for before. */
export function showTakeout() {
  tell(null);
  turns += 1;
  if (sessionStorage.getItem(ASKED) !== null) guarded(follow)();
}

/** Forget it: it is somebody's own. */
export function clearTakeout() {
  turns += 1;
  sessionStorage.removeItem(ASKED);
  tell(null);
}

/** Make it work. */
export function hangTakeout() {
  find("takeout-begin").addEventListener("click", guarded(async () => {
    const { id } = await call("POST", PLACE);
    sessionStorage.setItem(ASKED, id);
    await follow();
  }));
  downloads(find("takeout-link"));
}

/** See how far it is, until it is done or nobody looks any more. */
async function follow() {
  const turn = ++turns;
  while (turn === turns && !find("account").hidden) {
    let now;
    try {
      now = await call("GET", `${PLACE}/${encodeURIComponent(sessionStorage.getItem(ASKED))}`);
    } catch (error) {
      if (!(error instanceof Problem) || error.status !== 404) throw error;
      clearTakeout(); // it has expired
      return;
    }
    if (turn !== turns) return;
    tell(now);
    if (now.state === "done" || now.state === "failed") return;
    await pause();
  }
}

function tell(takeout) {
  const done = takeout?.state === "done";
  find("takeout-state").textContent = takeout === null ? "" : text(`takeout.${takeout.state}`,
    done ? { size: bytes(takeout.size_bytes), until: moment(takeout.expires_at) } : {});
  find("takeout-link").hidden = !done;
  if (done) find("takeout-link").href = takeout.url;
  else find("takeout-link").removeAttribute("href");
}

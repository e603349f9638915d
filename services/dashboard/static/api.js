// The API, as the page calls it: by cookies that no script can read. The access cookie lives for minutes, so it is renewed
// before it runs out, by one call of one tab for all of them: a refresh token that is used twice ends the session.
const ROOT = "/api/v1/";
const UNTIL = "runnerly.signed-in-until"; // when the access cookie runs out, in ms; absent where nobody is signed in
const EARLY_MS = 20_000;

/** What the API refused: a problem document (RFC 9457). `kind` is the end of its type. */
export class Problem extends Error {
  constructor(status, document, retryAfterS) {
    super(document.detail ?? document.title);
    this.status = status;
    this.document = document;
    this.kind = String(document.type ?? "").split("/").pop();
    this.errors = document.errors ?? [];
    this.retryAfterS = retryAfterS;
  }
}

/** The session has ended: by its age, or signed out elsewhere. */
export class SessionOver extends Error {}

export const signedIn = () => localStorage.getItem(UNTIL) !== null;
const remember = ({ expires_in: seconds }) => localStorage.setItem(UNTIL, String(Date.now() + seconds * 1000));
const forget = () => localStorage.removeItem(UNTIL);

/** Call `tell` when another tab of this browser has signed in or out. */
export function onSignedElsewhere(tell) {
  addEventListener("storage", ({ key, oldValue, newValue }) => {
    if (key === null || (key === UNTIL && (oldValue === null) !== (newValue === null))) tell();
  });
}

const send = (method, path, { json, form } = {}) =>
  fetch(ROOT + path, {
    method,
    headers: json ? { "Content-Type": "application/json" } : {},
    body: json ? JSON.stringify(json) : form,
  });

async function result(answer) {
  const body = await answer.text();
  if (answer.ok) return body ? JSON.parse(body) : null;
  let document;
  try { document = JSON.parse(body); } catch { document = { detail: `${answer.status} ${answer.statusText}` }; }
  throw new Problem(answer.status, document, Number(answer.headers.get("Retry-After")) || null);
}

// One at a time: over all tabs where the browser has locks (https, and this machine), else in this tab.
let before = Promise.resolve();
const alone = (work) => {
  if (navigator.locks) return navigator.locks.request("runnerly.renewal", work);
  const turn = before.then(work);
  before = turn.catch(() => {});
  return turn;
};

// `seen` is when the caller thought the cookie runs out: where that has changed, somebody was quicker.
const renew = (seen) => alone(async () => {
  if (localStorage.getItem(UNTIL) !== seen) return;
  const answer = await send("POST", "sessions/refresh", { json: {} });
  if (answer.ok) remember(await answer.json());
  else if (answer.status === 401) forget();
});

/** Make sure that the access cookie is good for some seconds, if somebody is signed in. */
export async function fresh() {
  const until = localStorage.getItem(UNTIL);
  if (until !== null && Date.now() > Number(until) - EARLY_MS) await renew(until);
}

/** One call, as the person who is signed in. Raises `Problem`, and `SessionOver` where nobody is signed in any more. */
export async function call(method, path, options = {}) {
  await fresh();
  const until = localStorage.getItem(UNTIL);
  if (until === null) throw new SessionOver();
  let answer = await send(method, path, options);
  if (answer.status === 401) {
    await renew(until);
    if (signedIn()) answer = await send(method, path, options);
  }
  if (answer.status === 401) {
    forget();
    throw new SessionOver();
  }
  return result(answer);
}

/** One call as a stranger. */
export const ask = async (method, path, json) => result(await send(method, path, { json }));

/** Sign in, with a code where the account takes one. Raises `Problem`; its kind is `not-activated` also where somebody
 * may book, but see no runs yet. */
export async function signIn(email, password, otp) {
  const session = await ask("POST", "sessions", { email, password, ...(otp ? { otp } : {}), mode: "cookie" });
  if (!session.scope.split(" ").includes("activities:read")) {
    await ask("DELETE", "sessions/current");
    throw new Problem(401, { type: "/problems/not-activated" });
  }
  remember(session);
}

/** Know that nobody is signed in here any more: the account is gone. */
export const leave = forget;

export async function signOut() {
  try {
    await ask("DELETE", "sessions/current");
  } catch (error) {
    if (!(error instanceof Problem) || error.status !== 401) throw error;
  }
  forget();
}

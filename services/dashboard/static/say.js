// How the page speaks: elements, notices, and what went wrong in words for its reader.
import { Problem, SessionOver } from "./api.js";
import { known, text } from "./texts.js";

export const find = (id) => document.getElementById(id);
export const element = (name, content, attributes = {}) => Object.assign(document.createElement(name), { textContent: content, ...attributes });

/** A table row. A cell is a text or an element. */
export function row(...cells) {
  const made = document.createElement("tr");
  for (const cell of cells) {
    const box = document.createElement("td");
    box.append(cell);
    made.append(box);
  }
  return made;
}

export const notice = (message, ...more) => find("notice").replaceChildren(message, ...more);

/** Why it did not work. Our own words where we have some for this kind of problem, else those of the API. */
export function reason(error) {
  if (!(error instanceof Problem)) return text("unreachable");
  if (error.status === 429) return text("tooMany", { minutes: Math.max(1, Math.ceil((error.retryAfterS ?? 60) / 60)) });
  if (error.status >= 500) return text("unreachable");
  const field = error.errors[0]?.field;
  if (error.kind === "invalid" && known(`wrong.${field}`)) return text(`wrong.${field}`);
  if (known(`problem.${error.kind}`)) return text(`problem.${error.kind}`, { detail: error.message });
  return [error.message, ...error.errors.filter((e) => e.message !== error.message).map((e) => `${e.field}: ${e.message}`)].join(" · ");
}

export function trouble(error, ...more) {
  if (error !== null && !(error instanceof Problem) && !(error instanceof TypeError)) console.error(error);
  find("trouble").replaceChildren(...(error === null ? [] : [reason(error), ...more]));
}

/** Call `tell` when some work finds that the session is over. */
export const onSessionOver = (tell) => addEventListener("runnerly-session-over", tell);

/** A listener that does one thing at a time, and says what went wrong. */
export function guarded(work, failed = () => {}) {
  let busy = false;
  return async (event) => {
    event?.preventDefault();
    if (busy) return;
    busy = true;
    const form = event?.target instanceof HTMLFormElement ? event.target : null;
    form?.setAttribute("aria-busy", "true");
    trouble(null);
    try {
      await work(event);
    } catch (error) {
      if (error instanceof SessionOver) {
        dispatchEvent(new Event("runnerly-session-over"));
        return;
      }
      trouble(error);
      markFields(form, error);
      failed(error, event);
    } finally {
      busy = false;
      form?.removeAttribute("aria-busy");
    }
  };
}

function markFields(form, error) {
  if (form === null || !(error instanceof Problem)) return;
  const wrong = error.errors.map(({ field }) => form.elements.namedItem(field)).filter(Boolean);
  for (const input of wrong) {
    input.setAttribute("aria-invalid", "true");
    input.addEventListener("input", () => input.removeAttribute("aria-invalid"), { once: true });
  }
  wrong[0]?.focus();
}

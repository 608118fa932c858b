/** A page that stays open while the service is replaced by a newer one. */

const KEY = "stemset.reloaded-at";
const AGAIN_AFTER_MS = 60_000;

/**
 * Load the page anew when a part of it that is loaded later is not there any more.
 *
 * A part that stays away is no upgrade: then the second failure in a minute is left as it is.
 */
export function reloadAfterUpgrade(): void {
  addEventListener("vite:preloadError", (event) => {
    const now = Date.now();
    const last = Number(sessionStorage.getItem(KEY));
    if (now - last < AGAIN_AFTER_MS) return;
    sessionStorage.setItem(KEY, String(now));
    event.preventDefault();
    location.reload();
  });
}

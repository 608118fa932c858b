/** Keeping a phone's screen on while something is sent: a phone that sleeps stops sending. */

let isWanted = false;
let lock: Promise<WakeLockSentinel | null> | null = null;

/** Whether this is a device that goes to sleep by itself, to be held in a hand. */
export function isHandheld(): boolean {
  return matchMedia("(pointer: coarse)").matches;
}

/** Whether the screen can be kept on; on pages without a certificate it cannot. */
export function canStayAwake(): boolean {
  return "wakeLock" in navigator;
}

export function stayAwake(wanted: boolean): void {
  const isNew = wanted !== isWanted;
  isWanted = wanted;
  if (!isNew || !isHandheld() || !canStayAwake()) return;
  if (wanted) {
    document.addEventListener("visibilitychange", request);
    request();
  } else {
    document.removeEventListener("visibilitychange", request);
    release();
  }
}

/** A browser takes the lock back when the page is hidden. */
function request(): void {
  if (document.visibilityState !== "visible") return;
  release();
  lock = navigator.wakeLock.request("screen").catch(() => null); // a low battery forbids it
}

function release(): void {
  lock?.then((held) => held?.release());
  lock = null;
}

/** The browser's notification that stems are ready, for who asked for it. */

import type { Job } from "../api/client";

/** Whether the person can still be asked; never where the page did not come over https. */
export function canAsk(): boolean {
  return "Notification" in globalThis && Notification.permission === "default";
}

/** Ask, which browsers do on a click only. Returns whether it is allowed. */
export async function askToNotify(): Promise<boolean> {
  return (await Notification.requestPermission()) === "granted";
}

/**
 * Tell that a job is ready, if that is allowed and nobody is looking at the page.
 *
 * @param open Called when the person clicks on it.
 */
export function notifyReady(job: Job, open: () => void): void {
  const isAllowed = "Notification" in globalThis && Notification.permission === "granted";
  if (!isAllowed || document.visibilityState === "visible") return;
  try {
    // Tabs that tell of the same job share its tag, so that it is shown once.
    const shown = new Notification(`${job.filename} is ready`, {
      body: "Its stems can be played.",
      icon: "/icon.svg",
      tag: job.job_id,
    });
    shown.onclick = () => {
      shown.close();
      window.focus();
      open();
    };
  } catch {
    // Phones let no page show one without a service worker.
  }
}

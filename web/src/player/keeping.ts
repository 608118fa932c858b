/** Keeps how a recording is heard while it changes, and when the page is left. */

import type { Controls } from "./controls";
import { keep } from "./kept";
import { settingsOf } from "./settings";

/** Soon enough for a browser that is ended, rare enough for a slider that is dragged. */
const AFTER_MS = 700;
const POSITION_EVERY_MS = 5000;

/** Gives what keeps it a last time and ends that. */
export function startKeeping(recordingId: string, controls: Controls): () => void {
  const { player, view, markers, isFollowing } = controls;
  let timer = 0;
  const save = () => {
    clearTimeout(timer);
    timer = 0;
    keep(recordingId, {
      settings: settingsOf(player.state.mix, player.output.rateHz),
      positionS: controls.positionS,
      span: view.span,
      isFollowing: isFollowing.value,
      markers: markers.all,
    });
  };
  const soon = () => {
    timer ||= window.setTimeout(save, AFTER_MS);
  };
  const watched = [player, view, markers, isFollowing, controls.seeks];
  const stops = watched.map((each) => each.subscribe(soon));
  const clock = window.setInterval(() => {
    if (player.state.status === "playing") save();
  }, POSITION_EVERY_MS);
  // A phone ends pages that are hidden without asking.
  window.addEventListener("pagehide", save);
  return () => {
    for (const stop of stops) stop();
    clearInterval(clock);
    window.removeEventListener("pagehide", save);
    save();
  };
}

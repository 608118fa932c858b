/** Opens an output: its player, its peaks, and how it was heard the last time or by a link. */

import { answered, api, type Output } from "../api/client";
import { playableOf } from "../engine/playable";
import { openPlayer } from "../engine/player";
import { Controls } from "./controls";
import { startKeeping } from "./keeping";
import { keptOf } from "./kept";
import { linked } from "./link";
import { Markers } from "./markers";
import { connectMediaSession } from "./media-session";
import { peakFiles } from "./peak-files";
import { Peaks } from "./peaks";
import { mixOf } from "./settings";
import { Ticker } from "./ticker";
import { View } from "./view";

export interface OpenedOutput {
  readonly controls: Controls;
  readonly peaks: Peaks;
  close(): Promise<void>;
}

/**
 * Open an output. Throws `PlaybackError` and `ApiError`.
 *
 * @param query The query of the page's address, which may be a link to a time with a mix.
 */
export async function openOutput(
  output: Output,
  query: string,
  signal: AbortSignal,
): Promise<OpenedOutput> {
  const playable = playableOf(output, () => fetchOutput(output.output_id));
  const durationS = playable.frames / playable.rateHz;
  const kept = keptOf(output.recording_id);
  const link = linked(query);
  // A link's mix counts for more than what was kept; markers and the view are this browser's.
  const settings = link.settings ?? kept?.settings;
  const positionS = link.positionS ?? kept?.positionS ?? 0;
  const player = await openPlayer(playable, {
    ...(settings && { mix: mixOf(settings, playable) }),
    position: positionS < durationS ? Math.round(positionS * playable.rateHz) : 0,
    signal,
  });

  const view = new View(durationS);
  const markers = new Markers();
  const ticker = new Ticker(player);
  const controls = new Controls(player, view, ticker, markers);
  if (kept) {
    view.show(kept.span);
    markers.replace(kept.markers.filter(({ atS }) => atS <= durationS));
    controls.isFollowing.set(kept.isFollowing);
  }
  controls.reveal(controls.positionS);

  const reading = new AbortController();
  const peaks = new Peaks(playable, peakFiles(playable, reading.signal));
  peaks.open();
  const stopKeeping = startKeeping(output.recording_id, controls);
  const stopMediaSession = connectMediaSession(controls, output.recording_name);
  const stopFollowing = follow(controls);

  return {
    controls,
    peaks,
    close: async () => {
      stopKeeping();
      stopFollowing();
      stopMediaSession();
      reading.abort();
      peaks.close();
      ticker.close();
      await player.close();
    },
  };
}

function fetchOutput(id: string): Promise<Output> {
  return answered(api.GET("/api/outputs/{output_id}", { params: { path: { output_id: id } } }));
}

/** Turn the page when the playhead leaves it by playing. */
function follow(controls: Controls): () => void {
  let lastS = controls.positionS;
  return controls.ticker.add((positionS) => {
    const { start, length } = controls.view.span;
    const end = start + length;
    const hasLeft = lastS < end && positionS >= end && positionS - lastS < length;
    // At the end of a loop the playhead goes back.
    const hasGoneBack = positionS < lastS && positionS < start;
    lastS = positionS;
    const isPlaying = controls.player.state.status === "playing";
    if (controls.isFollowing.value && isPlaying && (hasLeft || hasGoneBack)) {
      controls.reveal(positionS);
    }
  });
}

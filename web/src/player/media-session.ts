/** Media keys and lock screens: what plays, where it stands, and what their buttons do. */

import type { Controls } from "./controls";
import { holdAudioFocus } from "./silence";

const STEP_S = 5;

/** Connect the player until what is given is called. */
export function connectMediaSession(controls: Controls, title: string): () => void {
  if (!("mediaSession" in navigator)) return () => undefined;
  const session = navigator.mediaSession;
  const { player } = controls;
  const focus = holdAudioFocus();
  session.metadata = new MediaMetadata({ title, artist: "Stemset" });

  const handlers: readonly (readonly [MediaSessionAction, MediaSessionActionHandler])[] = [
    ["play", () => controls.play()],
    ["pause", () => controls.pause()],
    [
      "seekto",
      ({ seekTime }) => {
        if (seekTime !== undefined) controls.seekTo(seekTime);
      },
    ],
    ["seekbackward", ({ seekOffset }) => controls.seekBy(-(seekOffset ?? STEP_S))],
    ["seekforward", ({ seekOffset }) => controls.seekBy(seekOffset ?? STEP_S)],
  ];
  for (const [action, handler] of handlers) setHandler(session, action, handler);

  const show = () => {
    const { status, mix } = player.state;
    const isPlaying = status === "playing" || status === "waiting";
    session.playbackState = isPlaying ? "playing" : "paused";
    focus.hold(isPlaying);
    session.setPositionState({
      duration: controls.durationS,
      playbackRate: mix.speed,
      position: Math.min(controls.positionS, controls.durationS),
    });
  };
  const stops = [player.subscribe(show), controls.seeks.subscribe(show)];
  show();

  return () => {
    for (const stop of stops) stop();
    for (const [action] of handlers) setHandler(session, action, null);
    session.metadata = null;
    session.playbackState = "none";
    focus.close();
  };
}

/** A browser refuses the name of an action that it does not know. */
function setHandler(
  session: MediaSession,
  action: MediaSessionAction,
  handler: MediaSessionActionHandler | null,
): void {
  try {
    session.setActionHandler(action, handler);
  } catch {
    // The other buttons work.
  }
}

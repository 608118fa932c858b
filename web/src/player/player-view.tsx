/** The player of an output that is open. */

import { useEffect, useLayoutEffect, useRef, useState } from "react";
import type { Output } from "../api/client";
import { Button } from "../ui/button";
import { recall, remember } from "../ui/memory";
import { Cell } from "./cell";
import { ExportDialog } from "./export-dialog";
import { watchGestures } from "./gestures";
import { HelpSheet } from "./help-sheet";
import { usePlayerState } from "./hooks";
import { actionOf, isTakenBy } from "./keyboard";
import { Overview, Ruler } from "./lane";
import { MarkerList } from "./marker-list";
import { MoreSheet, ZoomButtons } from "./more-sheet";
import type { OpenedOutput } from "./open-output";
import { OutputNotes } from "./output-notes";
import { PlayerHeader } from "./player-header";
import { StemRow } from "./stem-row";
import { TransportBar } from "./transport-bar";

const KEYS_MEMORY = "stemset.player-keys";
const OFF = "off";

type Sheet = "help" | "more" | "export";

export function PlayerView({ output, opened }: { output: Output; opened: OpenedOutput }) {
  const { controls, peaks } = opened;
  const state = usePlayerState(controls.player);
  const [sheet, setSheet] = useState<Sheet | null>(null);
  const [hasKeys] = useState(() => new Cell(recall(KEYS_MEMORY) !== OFF));
  const stage = useRef<HTMLElement>(null);

  useEffect(
    () => hasKeys.subscribe(() => remember(KEYS_MEMORY, hasKeys.value ? "on" : OFF)),
    [hasKeys],
  );

  // Keys and hands are listened to as soon as there is something to see.
  useLayoutEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (event.defaultPrevented || !hasKeys.value) return;
      if (document.querySelector("dialog[open]") || isTakenBy(event.target, event.key)) return;
      const action = actionOf(event);
      if (!action) return;
      const focused = event.target instanceof Element ? event.target : null;
      const stem = focused?.closest<HTMLElement>("[data-stem]")?.dataset.stem ?? null;
      if (action.kind === "help") setSheet("help");
      else if (!controls.perform(action, stem)) return;
      event.preventDefault();
    };
    document.addEventListener("keydown", press);
    return () => document.removeEventListener("keydown", press);
  }, [controls, hasKeys]);

  useLayoutEffect(() => {
    const element = stage.current;
    if (!element) return;
    const show = () => {
      const { start, length } = controls.view.span;
      element.style.setProperty("--shown-start", String(start));
      element.style.setProperty("--shown-length", String(length));
      element.style.setProperty("--duration", String(controls.durationS));
    };
    show();
    const stops = [controls.view.subscribe(show), watchGestures(element, controls)];
    return () => {
      for (const stop of stops) stop();
    };
  }, [controls]);

  const { stems } = controls.player.output;
  const hasSolo = Object.values(state.mix.stems).some((stem) => stem.isSoloed);
  return (
    <div className="player" onMouseDownCapture={keepFocus}>
      <PlayerHeader
        output={output}
        controls={controls}
        onHelp={() => setSheet("help")}
        onExport={() => setSheet("export")}
      />
      {state.status === "failed" && (
        <div className="notice" data-kind="bad" role="alert">
          <p>{state.error ?? "The recording cannot be played."}</p>
          <Button icon="retry" label="Try again" onClick={() => controls.play()} />
        </div>
      )}
      <section ref={stage} className="card stage" aria-label="Stems">
        <Overview controls={controls} peaks={peaks} />
        <div className="ruler-row">
          <ZoomButtons controls={controls} />
          <Ruler controls={controls} />
        </div>
        <ul className="stems">
          {stems.map((stem, index) => {
            const settings = state.mix.stems[stem.name];
            return (
              settings && (
                <StemRow
                  key={stem.name}
                  controls={controls}
                  peaks={peaks}
                  name={stem.name}
                  index={index}
                  settings={settings}
                  hasSolo={hasSolo}
                  isSilent={stem.isSilent}
                />
              )
            );
          })}
        </ul>
      </section>
      <div className="below">
        <MarkerList controls={controls} />
        <OutputNotes output={output} />
      </div>
      <TransportBar controls={controls} state={state} onMore={() => setSheet("more")} />
      {sheet === "help" && <HelpSheet hasKeys={hasKeys} onClose={() => setSheet(null)} />}
      {sheet === "more" && (
        <MoreSheet controls={controls} mix={state.mix} onClose={() => setSheet(null)} />
      )}
      {sheet === "export" && (
        <ExportDialog controls={controls} mix={state.mix} onClose={() => setSheet(null)} />
      )}
    </div>
  );
}

const TYPED_INTO = "input:not([type=range], [type=checkbox], [type=radio])";

/**
 * A mouse does not take the focus to a button: the space bar stays with play and pause. What is
 * being typed is ended by any click, as everywhere.
 */
function keepFocus(event: React.MouseEvent): void {
  const isOnButton = event.target instanceof Element && event.target.closest("button");
  if (isOnButton && !document.activeElement?.matches(TYPED_INTO)) event.preventDefault();
}

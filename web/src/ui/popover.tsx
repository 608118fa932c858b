/** A button that opens a small list of choices beside it; Escape and a click elsewhere close it. */

import {
  type KeyboardEvent,
  type MouseEvent,
  type ReactNode,
  type RefObject,
  useId,
  useLayoutEffect,
  useRef,
  useState,
} from "react";
import { Button } from "./button";
import { Icon, type IconName } from "./icon";
import "./popover.css";

const CHOICES = "a, button";
// Pixels to the window's edge, and to the button.
const EDGE = 8;
const GAP = 4;

interface Props {
  label: string;
  hidesLabel?: boolean;
  /** What the button says, where that is not the whole label. */
  shown?: string;
  icon: IconName;
  kind?: "main" | "bare";
  /** Asked for while it is open only. A click on a link or a button in it closes it. */
  children: () => ReactNode;
}

export function Popover({ label, hidesLabel, shown, icon, kind = "bare", children }: Props) {
  const id = useId();
  const [isOpen, setOpen] = useState(false);
  const anchor = useRef<HTMLButtonElement>(null);
  const panel = useRef<HTMLDivElement>(null);
  usePlace(isOpen, anchor, panel);
  return (
    <>
      <Button
        ref={anchor}
        kind={kind}
        icon={icon}
        label={shown ?? label}
        hidesLabel={hidesLabel ?? false}
        aria-label={shown ? label : undefined}
        aria-expanded={isOpen}
        popoverTarget={id}
      />
      {/* biome-ignore lint/a11y/noStaticElementInteractions: keys and clicks of what is in it */}
      <div
        ref={panel}
        id={id}
        className="popover"
        popover="auto"
        onBeforeToggle={(event) => {
          const opens = event.newState === "open";
          // The focus must not go down with what had it.
          if (!opens && event.currentTarget.matches(":focus-within")) anchor.current?.focus();
          setOpen(opens);
        }}
        onKeyDown={moveFocus}
        onClick={closeAfterChoice}
      >
        {isOpen && children()}
      </div>
    </>
  );
}

interface ChoiceProps {
  icon: IconName;
  label: string;
  isBad?: boolean;
  onClick: () => void;
}

/** What can be chosen in it. */
export function Choice({ icon, label, isBad = false, onClick }: ChoiceProps) {
  return (
    <button
      type="button"
      className="choice"
      data-kind={isBad ? "bad" : undefined}
      onClick={onClick}
    >
      <Icon name={icon} />
      <span>{label}</span>
    </button>
  );
}

/** Beside its button, also when the page moves under it. */
function usePlace(
  isOpen: boolean,
  anchor: RefObject<HTMLButtonElement | null>,
  panel: RefObject<HTMLDivElement | null>,
): void {
  useLayoutEffect(() => {
    const button = anchor.current;
    const shown = panel.current;
    if (!isOpen || !button || !shown) return;
    const follow = () => place(button, shown);
    // A window that changes scrolls as well: a phone that is turned closes nothing, nor does the
    // small window that a browser may make to take a picture of a page.
    const width = innerWidth;
    const followScroll = () => {
      if (innerWidth === width && !isInWindow(button)) shown.hidePopover();
      else follow();
    };
    // The browser shows it once this has ended, and with that gives the focus to what asks for
    // it: a key pressed on seeing it must find its choice.
    shown.querySelector(CHOICES)?.setAttribute("autofocus", "");
    const frame = requestAnimationFrame(follow);
    const resized = new ResizeObserver(follow);
    resized.observe(shown);
    addEventListener("resize", follow);
    // Also of a dialog that it is in.
    addEventListener("scroll", followScroll, { capture: true, passive: true });
    return () => {
      cancelAnimationFrame(frame);
      resized.disconnect();
      removeEventListener("resize", follow);
      removeEventListener("scroll", followScroll, { capture: true });
    };
  }, [isOpen, anchor, panel]);
}

function place(button: HTMLElement, shown: HTMLElement): void {
  const { top, bottom, right } = button.getBoundingClientRect();
  const { width, height } = shown.getBoundingClientRect();
  const left = Math.max(EDGE, Math.min(right - width, innerWidth - width - EDGE));
  const lowest = innerHeight - EDGE - height;
  const above = top - GAP - height;
  const below = bottom + GAP;
  const wanted = below > lowest && above >= EDGE ? above : below;
  shown.style.left = `${left}px`;
  shown.style.top = `${Math.max(EDGE, Math.min(wanted, lowest))}px`;
}

function isInWindow(button: HTMLElement): boolean {
  const { top, bottom } = button.getBoundingClientRect();
  return bottom >= 0 && top <= innerHeight;
}

function closeAfterChoice(event: MouseEvent<HTMLDivElement>): void {
  const chosen = event.target instanceof Element && event.target.closest(CHOICES);
  if (chosen) event.currentTarget.hidePopover();
}

function moveFocus(event: KeyboardEvent<HTMLDivElement>): void {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step === undefined) return;
  const choices = [...event.currentTarget.querySelectorAll<HTMLElement>(CHOICES)];
  const now = choices.findIndex((each) => each.matches(":focus"));
  choices[(now + step + choices.length) % choices.length]?.focus();
  event.preventDefault();
}

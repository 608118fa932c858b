import { type ReactNode, useEffect, useId, useRef } from "react";
import { offerWork } from "./open-work";

interface Props {
  title: string;
  onClose: () => void;
  children: ReactNode;
}

/** A modal dialog for as long as it is rendered; Escape and its actions close it. */
export function Dialog({ title, onClose, children }: Props) {
  const shown = useRef<HTMLDialogElement>(null);
  const titleId = useId();
  useEffect(() => {
    const dialog = shown.current;
    dialog?.showModal();
    const withdraw = offerWork({ isOpen: () => true, giveUp: () => {} });
    return () => {
      withdraw();
      dialog?.close();
    };
  }, []);
  return (
    <dialog ref={shown} aria-labelledby={titleId} onClose={onClose}>
      <h2 id={titleId}>{title}</h2>
      {children}
    </dialog>
  );
}

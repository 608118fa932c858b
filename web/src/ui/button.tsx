import type { ComponentProps, ReactNode } from "react";
import { Icon, type IconName } from "./icon";

interface Props extends ComponentProps<"button"> {
  kind?: "main" | "plain" | "bare" | "bad";
  icon?: IconName;
  /** Shown, or with `hidesLabel` only said. */
  label: string;
  hidesLabel?: boolean;
  children?: ReactNode;
}

/** A button; one that shows only its icon still has its name. */
export function Button({ kind = "plain", icon, label, hidesLabel, children, ...more }: Props) {
  return (
    <button
      type="button"
      className="button"
      data-kind={kind}
      title={hidesLabel ? label : undefined}
      {...more}
    >
      {icon && <Icon name={icon} />}
      <span className={hidesLabel ? "visually-hidden" : undefined}>{label}</span>
      {children}
    </button>
  );
}

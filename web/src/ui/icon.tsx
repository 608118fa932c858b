/** Icons, drawn on a grid of 24; what they mean is said by the control that holds them. */

const PATHS = {
  play: "M8 5v14l11-7z",
  pause: "M7 5h4v14H7zM13 5h4v14h-4z",
  upload: "M12 16V5m0 0-4 4m4-4 4 4M5 16v3h14v-3",
  download: "M12 5v11m0 0-4-4m4 4 4-4M5 19h14",
  close: "M6 6l12 12M18 6 6 18",
  retry: "M19 12a7 7 0 1 1-2-5m2-3v4h-4",
  search: "M11 5a6 6 0 1 1 0 12 6 6 0 0 1 0-12zm4.5 10.5L20 20",
  edit: "M5 19h4L19 9l-4-4L5 15z",
  trash: "M5 7h14M10 7V5h4v2M7 7l1 12h8l1-12",
  more: "M12 6v.01M12 12v.01M12 18v.01",
  back: "M19 12H5m0 0 6-6m-6 6 6 6",
  next: "M6 5v14l9-7zM18 5v14",
  previous: "M18 5v14l-9-7zM6 5v14",
  loop: "M5 11a5 5 0 0 1 5-5h8m0 0-3-3m3 3-3 3M19 13a5 5 0 0 1-5 5H6m0 0 3 3m-3-3 3-3",
  marker: "M7 4h10v16l-5-4-5 4z",
  zoomIn: "M11 5a6 6 0 1 1 0 12 6 6 0 0 1 0-12zm4.5 10.5L20 20M8 11h6M11 8v6",
  zoomOut: "M11 5a6 6 0 1 1 0 12 6 6 0 0 1 0-12zm4.5 10.5L20 20M8 11h6",
  help: "M9.5 9a2.5 2.5 0 1 1 3.5 2.3c-.7.4-1 1-1 1.7v.5M12 17v.01M12 3a9 9 0 1 1 0 18 9 9 0 0 1 0-18z",
  link: "M10 14a4 4 0 0 0 6 .5l3-3a4 4 0 0 0-6-6l-1 1M14 10a4 4 0 0 0-6-.5l-3 3a4 4 0 0 0 6 6l1-1",
  sun: "M12 8a4 4 0 1 1 0 8 4 4 0 0 1 0-8zM12 3v2M12 19v2M3 12h2M19 12h2M5.6 5.6 7 7M17 17l1.4 1.4M18.4 5.6 17 7M7 17l-1.4 1.4",
  moon: "M20 14A8 8 0 0 1 10 4a8 8 0 1 0 10 10z",
  bell: "M6 17h12l-2-3v-3a4 4 0 0 0-8 0v3zM10 20h4",
  phone: "M8 3h8v18H8zM11 18h2",
  person: "M12 4a4 4 0 1 1 0 8 4 4 0 0 1 0-8zM5 20a7 7 0 0 1 14 0",
  people:
    "M9 5a3.5 3.5 0 1 1 0 7 3.5 3.5 0 0 1 0-7zM3 19a6 6 0 0 1 12 0M16 5.5a3.5 3.5 0 0 1 0 6.5M18 14.5a6 6 0 0 1 3 4.5",
  record: "M9 6h11M9 12h11M9 18h11M4.5 6v.01M4.5 12v.01M4.5 18v.01",
  leave: "M14 4h5v16h-5M14 12H4m0 0 4-4m-4 4 4 4",
  devices: "M3 5h12v9H3zM6 18h6M17 9h4v10h-4z",
  volume: "M5 10v4h3l4 4V6l-4 4zM16 9a4 4 0 0 1 0 6",
  note: "M9 18V6l10-2v11M9 18a2.5 2.5 0 1 1-5 0 2.5 2.5 0 0 1 5 0zM19 15a2.5 2.5 0 1 1-5 0 2.5 2.5 0 0 1 5 0z",
} as const;

export type IconName = keyof typeof PATHS;

const FILLED: ReadonlySet<IconName> = new Set(["play", "pause"]);

export function Icon({ name }: { name: IconName }) {
  return (
    <svg
      viewBox="0 0 24 24"
      width="20"
      height="20"
      fill={FILLED.has(name) ? "currentColor" : "none"}
      stroke={FILLED.has(name) ? "none" : "currentColor"}
      strokeWidth="2"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
    >
      <path d={PATHS[name]} />
    </svg>
  );
}

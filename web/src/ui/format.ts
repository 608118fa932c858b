/** Numbers as people read them. */

/** A length of audio: `4:03`, `1:02:33`. */
export function clock(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (n: number) => String(n).padStart(2, "0");
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

/** A length of audio in words, for who cannot see it: `4 minutes 3 seconds`. */
export function spokenClock(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const parts: [number, string][] = [
    [Math.floor(whole / 3600), "hour"],
    [Math.floor(whole / 60) % 60, "minute"],
    [whole % 60, "second"],
  ];
  const said = parts.filter(([n]) => n > 0).map(([n, unit]) => `${n} ${unit}${n > 1 ? "s" : ""}`);
  return said.join(" ") || "0 seconds";
}

/** Time to wait, no finer than anybody can know it: `about 20 s`, `about 4 min`. */
export function wait(seconds: number): string {
  if (seconds < 10) return "a few seconds";
  if (seconds < 60) return `about ${Math.round(seconds / 10) * 10} s`;
  if (seconds < 3600) return `about ${Math.round(seconds / 60)} min`;
  const halves = Math.round(seconds / 1800) / 2;
  return `about ${halves} h`;
}

/** An amount: cents where there are some, otherwise as many digits as tell something. */
export function money(amount: number, currency: string): string {
  const isSmall = amount > 0 && amount < 0.1;
  const digits = isSmall ? 1 - Math.floor(Math.log10(amount)) : 2;
  const words = amount.toFixed(digits);
  return `${isSmall ? words.replace(/0+$/, "") : words} ${currency}`;
}

/** A size: `940 kB`, `52 MB`, `1.9 GB`. */
export function size(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit > 2 && value < 10 ? 1 : 0;
  return `${value.toFixed(digits)} ${units[unit]}`;
}

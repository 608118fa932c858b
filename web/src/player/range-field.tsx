import { useId } from "react";

interface Props {
  /** What it sets, with the object in it: "Volume of vocals". */
  name: string;
  /** What is shown of the name, beside the object; nothing if that is clear to the eye. */
  label?: string;
  value: number;
  least: number;
  most: number;
  step: number;
  /** The value, as it is shown and as it is said. */
  text: string;
  spoken: string;
  /** What a double click goes back to. */
  rest: number;
  /** Whether its middle is the plain state, and it is filled from there. */
  isCentred?: boolean;
  onChange: (value: number) => void;
}

/** A slider with its value beside it; a double click puts it back. */
export function RangeField(props: Props) {
  const { name, label, value, least, most, step, text, spoken, rest, isCentred, onChange } = props;
  const id = useId();
  const percent = (100 * (value - least)) / (most - least);
  const from = isCentred ? 50 : 0;
  return (
    <div className="range">
      {label && (
        <label htmlFor={id} className="range-label">
          {label}
        </label>
      )}
      <input
        id={id}
        type="range"
        aria-label={name}
        aria-valuetext={spoken}
        min={least}
        max={most}
        step={step}
        value={value}
        style={{
          "--fill-from": `${Math.min(from, percent)}%`,
          "--fill-to": `${Math.max(from, percent)}%`,
        }}
        onChange={(event) => onChange(event.currentTarget.valueAsNumber)}
        onDoubleClick={() => onChange(rest)}
      />
      <output htmlFor={id} className="range-value numeric" aria-hidden="true">
        {text}
      </output>
    </div>
  );
}

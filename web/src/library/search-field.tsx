/** Where a part of a name is typed; told once nobody types for a moment. */

import { useEffect, useRef, useState } from "react";
import { MAX_SEARCH } from "./filters";

const PAUSE_MS = 250;

interface Props {
  value: string;
  onChange: (value: string) => void;
}

export function SearchField({ value, onChange }: Props) {
  const [text, setText] = useState(value);
  const told = useRef(value);
  useEffect(() => {
    // Changed elsewhere: by the browser's buttons, or by "Show all".
    if (value === told.current) return;
    told.current = value;
    setText(value);
  }, [value]);
  useEffect(() => {
    const wanted = text.trim();
    if (wanted === told.current) return;
    const timer = setTimeout(() => {
      told.current = wanted;
      onChange(wanted);
    }, PAUSE_MS);
    return () => clearTimeout(timer);
  }, [text, onChange]);
  return (
    <label className="library-search">
      <span className="visually-hidden">Search recordings by name</span>
      <input
        type="search"
        value={text}
        placeholder="Search"
        maxLength={MAX_SEARCH}
        autoComplete="off"
        onChange={(event) => setText(event.target.value)}
      />
    </label>
  );
}

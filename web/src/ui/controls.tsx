// SPDX-License-Identifier: Apache-2.0
// Small controls: every one a native form element with a label.
import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";

export function Choose<T extends string>(props: {
  label: string;
  value: T;
  options: readonly { value: T; text: string }[];
  onChange: (value: T) => void;
}) {
  const id = useId();
  return (
    <div class="control">
      <label for={id}>{props.label}</label>
      <select
        id={id}
        value={props.value}
        onChange={(event) => props.onChange(event.currentTarget.value as T)}
      >
        {props.options.map((option) => (
          <option key={option.value} value={option.value}>
            {option.text}
          </option>
        ))}
      </select>
    </div>
  );
}

export function Toggle(props: {
  label: string;
  checked: boolean;
  onChange: (checked: boolean) => void;
}) {
  const id = useId();
  return (
    <div class="control toggle">
      <input
        id={id}
        type="checkbox"
        checked={props.checked}
        onChange={(event) => props.onChange(event.currentTarget.checked)}
      />
      <label for={id}>{props.label}</label>
    </div>
  );
}

export function Slider(props: {
  label: string;
  value: number;
  min: number;
  max: number;
  step: number;
  text: string;
  onInput: (value: number) => void;
}) {
  const id = useId();
  return (
    <div class="control">
      <label for={id}>
        {props.label} <output>{props.text}</output>
      </label>
      <input
        id={id}
        type="range"
        min={props.min}
        max={props.max}
        step={props.step}
        value={props.value}
        aria-valuetext={props.text}
        onInput={(event) => props.onInput(Number(event.currentTarget.value))}
      />
    </div>
  );
}

export function Notes(props: { notes: readonly string[] }) {
  if (props.notes.length === 0) return null;
  return (
    <ul class="notes" aria-label="What was changed or chosen">
      {props.notes.map((note) => (
        <li key={note}>{note}</li>
      ))}
    </ul>
  );
}

export function Waiting(props: { children: ComponentChildren }) {
  return (
    <p class="waiting" role="status">
      {props.children}
    </p>
  );
}

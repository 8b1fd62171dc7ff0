// SPDX-License-Identifier: Apache-2.0
// Said by views that need every cell, when a text has too many.
import { kLongestWhole } from "../lib/maps";
import { axes, choose } from "../state";

export function TooLong() {
  const tokens = axes.value?.query.tokens.length ?? 0;
  return (
    <div class="empty">
      <p>
        This text has {tokens.toLocaleString("en")} tokens. This view draws each of at most{" "}
        {kLongestWhole.toLocaleString("en")}; the map shows texts of any length.
      </p>
      <button type="button" onClick={() => choose({ view: "map" })}>
        Open the map
      </button>
    </div>
  );
}

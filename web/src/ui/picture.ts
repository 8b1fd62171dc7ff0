// SPDX-License-Identifier: Apache-2.0
// What a view has drawn, as one SVG: its canvases as images, its SVG and text in their places.

// What a style sheet may say of a drawing.
const kOfShapes = ["fill", "fill-opacity", "stroke", "stroke-width", "stroke-opacity", "stroke-dasharray", "stroke-linecap", "opacity"];
const kOfText = ["font-family", "font-size", "font-weight", "text-anchor", "dominant-baseline"];

const escaped = (text: string) =>
  text.replace(/[&<>"]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c]!);

function texts(root: Element, origin: DOMRect, skip: string): string[] {
  const out: string[] = [];
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const parent = node.parentElement!;
    const text = node.textContent ?? "";
    if (text.trim() === "" || parent.closest(skip)) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const style = getComputedStyle(parent);
    if (style.visibility === "hidden" || style.display === "none") continue;
    for (const box of lines(range, text)) {
      out.push(
        `<text x="${box.x - origin.x}" y="${box.y - origin.y + box.height * 0.78}" font-size="${parseFloat(style.fontSize)}" font-family="${escaped(style.fontFamily)}" font-weight="${style.fontWeight}" fill="${style.color}" xml:space="preserve">${escaped(box.text)}</text>`,
      );
    }
  }
  return out;
}

// A text node cut where the browser broke its lines.
function lines(range: Range, text: string): { x: number; y: number; height: number; text: string }[] {
  const rects = [...range.getClientRects()];
  if (rects.length <= 1) {
    const r = rects[0];
    return r ? [{ x: r.x, y: r.y, height: r.height, text }] : [];
  }
  const out: { x: number; y: number; height: number; text: string }[] = [];
  const node = range.startContainer;
  for (const word of text.matchAll(/\S+\s*/gu)) {
    const piece = document.createRange();
    piece.setStart(node, word.index);
    piece.setEnd(node, word.index + word[0].length);
    const r = piece.getClientRects()[0];
    if (!r) continue;
    const last = out.at(-1);
    if (last && Math.abs(last.y - r.y) < 2) last.text += word[0];
    else out.push({ x: r.x, y: r.y, height: r.height, text: word[0] });
  }
  return out;
}

export function viewToSvg(view: Element): { svg: string; width: number; height: number } {
  const origin = view.getBoundingClientRect();
  const skip = ".data-table, select, option, input, .options, svg";
  const parts: string[] = [];
  for (const element of view.querySelectorAll<HTMLElement>("*")) {
    if (element.closest(".data-table, svg")) continue;
    const style = getComputedStyle(element);
    const r = element.getBoundingClientRect();
    if (style.backgroundColor !== "rgba(0, 0, 0, 0)" && r.width > 0)
      parts.push(
        `<rect x="${r.x - origin.x}" y="${r.y - origin.y}" width="${r.width}" height="${r.height}" fill="${style.backgroundColor}" fill-opacity="${style.opacity}"/>`,
      );
    if (element instanceof HTMLCanvasElement)
      parts.push(
        `<image x="${r.x - origin.x}" y="${r.y - origin.y}" width="${r.width}" height="${r.height}" preserveAspectRatio="none" style="image-rendering:pixelated" href="${element.toDataURL()}"/>`,
      );
  }
  for (const inner of view.querySelectorAll("svg")) {
    if (inner.closest(".data-table")) continue;
    const r = inner.getBoundingClientRect();
    const copy = inner.cloneNode(true) as SVGElement;
    const from = inner.querySelectorAll("*");
    copy.querySelectorAll("*").forEach((element, i) => {
      const style = getComputedStyle(from[i]!);
      for (const name of element.localName === "text" ? [...kOfShapes, ...kOfText] : kOfShapes)
        element.setAttribute(name, style.getPropertyValue(name));
    });
    copy.setAttribute("x", String(r.x - origin.x));
    copy.setAttribute("y", String(r.y - origin.y));
    copy.setAttribute("width", String(r.width));
    copy.setAttribute("height", String(r.height));
    copy.setAttribute("overflow", "visible");
    parts.push(new XMLSerializer().serializeToString(copy));
  }
  parts.push(...texts(view, origin, skip));
  const width = Math.ceil(view.scrollWidth);
  const height = Math.ceil(view.scrollHeight);
  const page = getComputedStyle(document.body).backgroundColor;
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}"><rect width="100%" height="100%" fill="${page}"/>${parts.join("")}</svg>`;
  return { svg, width, height };
}

/** Small drawings on buttons, whose labels say what they mean: strokes on a grid of 24. */
import type { VNode } from "preact";

const paths = {
  menu: "M4 6h16M4 12h16M4 18h16",
  plus: "M12 5v14M5 12h14",
  minus: "M5 12h14",
  fit: "M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5",
  play: "M8 5l11 7-11 7z",
  pause: "M8 5v14M16 5v14",
  search: "M11 4a7 7 0 1 0 0 14a7 7 0 0 0 0-14M16 16l4.500 4.500",
  sliders: "M4 7h10M18 7h2M4 17h2M10 17h10M16 5v4M8 15v4",
  send: "M12 19V5M6 11l6-6 6 6",
  stop: "M7 7h10v10H7z",
  clip: "M20 11.500l-8.200 8.200a5 5 0 0 1-7-7l8.500-8.500a3.300 3.300 0 0 1 4.700 4.700l-8.500 8.500a1.700 1.700 0 0 1-2.400-2.400l7.800-7.800",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
  check: "M5 13l4.500 4.500L19 8",
  edit: "M4 20h4L19 9l-4-4L4 16zM13 7l4 4",
  again: "M20 11a8 8 0 1 0-2.300 6.300M20 5v6h-6",
  fork: "M6 4v16M6 14c7 0 12-2 12-8M15 8l3-3 3 3",
  trash: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13",
  left: "M15 5l-7 7 7 7",
  right: "M9 5l7 7-7 7",
  down: "M12 5v14M6 13l6 6 6-6",
  close: "M6 6l12 12M18 6L6 18",
  more: "M5 11.600v.800M12 11.600v.800M19 11.600v.800",
  save: "M12 4v11M7 11l5 5 5-5M5 20h14",
  load: "M12 16V5M7 9l5-5 5 5M5 20h14",
  file: "M6 3h8l4 4v14H6zM14 3v4h4",
  tool: "M14 6a4 4 0 0 1 5-1l-3 3 1 2 2 1 2-3a4 4 0 0 1-6 5l-7 7-3-3 7-7a4 4 0 0 1 2-4",
} as const;

export type IconName = keyof typeof paths;

export function Icon({ name }: { readonly name: IconName }): VNode {
  return (
    <svg class={`icon icon-${name}`} viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={paths[name]} />
    </svg>
  );
}

/** The mark of the page. */
export function Flame(): VNode {
  return (
    <svg class="flame" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path
        class="outer"
        d="M12.500 2c.8 3.800 6 6.200 6 11.800 0 4.200-3 7.200-6.500 7.200s-6.500-2.900-6.500-6.800c0-2.900 1.500-4.600 2.800-6.100.2 1.500.8 2.500 1.800 3.200-.3-3.500.3-6.600 2.400-9.300z"
      />
      <path
        class="inner"
        d="M12.200 12c.4 1.700 2.600 2.800 2.600 5.200 0 2.100-1.300 3.800-2.800 3.800s-2.900-1.600-2.900-3.600c0-2.100 2-3.100 3.100-5.400z"
      />
    </svg>
  );
}

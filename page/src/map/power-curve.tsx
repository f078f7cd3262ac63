/** The power law: what share of the work the busiest neurons do, and how much of it a card would hold. */
import type { VNode } from "preact";
import { texts } from "../texts.ts";
import { type CurvePoint, workAt } from "./numbers.ts";

export interface PowerCurveProps {
  readonly points: readonly CurvePoint[];
  readonly cut: number;
  /** Whether a plan made the cut; else it is the person's. */
  readonly isPlanned: boolean;
  readonly work: number;
  readonly hasProfile: boolean;
  onCut(share: number): void;
}

/** In units of the drawing; what is beside it are the axes. */
const size = { width: 320, height: 200, left: 34, bottom: 30 } as const;

export function PowerCurve(props: PowerCurveProps): VNode {
  const { points, cut, isPlanned, work, hasProfile, onCut } = props;
  const labels = texts.map.curve;
  const x = (share: number): number => size.left + share * (size.width - size.left - 8);
  const y = (part: number): number => 8 + (1 - part) * (size.height - size.bottom - 8);
  const line = points.map((point) => `${x(point.share).toFixed(1)} ${y(point.work).toFixed(1)}`);
  const held = points.filter(({ share }) => share <= cut);
  const edge = `${x(cut).toFixed(1)} ${y(workAt(points, cut)).toFixed(1)}`;
  const area = [
    ...held.map((point) => `${x(point.share).toFixed(1)} ${y(point.work).toFixed(1)}`),
    edge,
    `${x(cut).toFixed(1)} ${y(0)}`,
    `${x(0)} ${y(0)}`,
  ];
  return (
    <section class="card" aria-labelledby="curve-title">
      <h2 id="curve-title">{labels.title}</h2>
      <svg
        class="power"
        viewBox={`0 0 ${size.width} ${size.height}`}
        role="img"
        aria-label={labels.label(cut, workAt(points, cut))}
      >
        {[0, 0.5, 1].map((part) => (
          <g key={part}>
            <line class="grid" x1={x(0)} x2={x(1)} y1={y(part)} y2={y(part)} />
            <text class="tick end" x={x(0) - 5} y={y(part) + 3.5}>
              {texts.map.percent(part)}
            </text>
            <text class={part === 1 ? "tick end" : "tick middle"} x={x(part)} y={y(0) + 13}>
              {texts.map.percent(part)}
            </text>
          </g>
        ))}
        <text class="tick middle" x={x(0.5)} y={size.height - 3}>
          {labels.x}
        </text>
        <line class="even" x1={x(0)} y1={y(0)} x2={x(1)} y2={y(1)} />
        <path class="held" d={`M${area.join("L")}Z`} />
        {line.length > 0 && <path class="line" d={`M${line.join("L")}`} />}
        <line class="cut" x1={x(cut)} x2={x(cut)} y1={y(0)} y2={y(1)} />
        <circle class="at" cx={x(cut)} cy={y(workAt(points, cut))} r="4" />
      </svg>
      <label class="slider">
        <span>{labels.cut}</span>
        <input
          type="range"
          min="0"
          max="100"
          step="1"
          value={Math.round(cut * 100)}
          aria-valuetext={labels.cutAt(cut)}
          onInput={({ currentTarget }) => onCut(Number(currentTarget.value) / 100)}
        />
        <output>{labels.cutAt(cut)}</output>
      </label>
      <p class="note">
        {isPlanned ? labels.planned(cut, work) : labels.supposed(cut, workAt(points, cut))}
      </p>
      {!hasProfile && <p class="note">{labels.noProfile}</p>}
    </section>
  );
}

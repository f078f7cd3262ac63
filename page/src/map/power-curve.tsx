/** The power law: what share of the work the busiest neurons do, and how much of it a card would hold. */
import type { VNode } from "preact";
import type { Unit } from "../plan/budget-plans.ts";
import { texts } from "../texts.ts";
import { type CurvePoint, workAt } from "./numbers.ts";

export interface PowerCurveProps {
  readonly points: readonly CurvePoint[];
  readonly cut: number;
  readonly unit: Unit;
  /** The work that the plan's neurons did; undefined: the cut is the person's, and the neurons are the right ones. */
  readonly held: number | undefined;
  readonly hasProfile: boolean;
  onCut(share: number): void;
}

/** In units of the drawing; what is beside it are the axes. */
const size = { width: 320, height: 200, left: 34, bottom: 30 } as const;

export function PowerCurve(props: PowerCurveProps): VNode {
  const { points, cut, unit, held, hasProfile, onCut } = props;
  const labels = texts.map.curve;
  const x = (share: number): number => size.left + share * (size.width - size.left - 8);
  const y = (part: number): number => 8 + (1 - part) * (size.height - size.bottom - 8);
  const line = points.map((point) => `${x(point.share).toFixed(1)} ${y(point.work).toFixed(1)}`);
  const under = points.filter(({ share }) => share <= cut);
  const work = held ?? workAt(points, cut);
  const edge = `${x(cut).toFixed(1)} ${y(workAt(points, cut)).toFixed(1)}`;
  const area = [
    ...under.map((point) => `${x(point.share).toFixed(1)} ${y(point.work).toFixed(1)}`),
    edge,
    `${x(cut).toFixed(1)} ${y(0)}`,
    `${x(0)} ${y(0)}`,
  ];
  return (
    <section class="card" aria-labelledby="curve-title">
      <h2 id="curve-title">{labels.title(unit)}</h2>
      <svg
        class="power"
        viewBox={`0 0 ${size.width} ${size.height}`}
        role="img"
        aria-label={labels.label(unit, cut, workAt(points, cut))}
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
          {labels.x(unit)}
        </text>
        <line class="even" x1={x(0)} y1={y(0)} x2={x(1)} y2={y(1)} />
        <path class="held" d={`M${area.join("L")}Z`} />
        {line.length > 0 && <path class="line" d={`M${line.join("L")}`} />}
        <line class="cut" x1={x(cut)} x2={x(cut)} y1={y(0)} y2={y(1)} />
        <circle class="at" cx={x(cut)} cy={y(work)} r="4" />
      </svg>
      <label class="slider">
        <span>{labels.cut[unit]}</span>
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
        {held === undefined ? labels.supposed(unit, cut, work) : labels.planned(unit, cut, held)}
      </p>
      {!hasProfile && <p class="note">{labels.noProfile(unit)}</p>}
    </section>
  );
}

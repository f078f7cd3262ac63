/** Predicted speed over the card's memory, with this budget on it; to point at it sets the budget, as the slider does. */
import type { VNode } from "preact";
import { texts } from "../texts.ts";
import {
  type BudgetPlan,
  type BudgetPlans,
  type BudgetPoint,
  placeOfBudget,
  speedCurve,
} from "./budget-plans.ts";

const [width, height] = [1000, 300];

export function CurveFigure({
  plans,
  at,
  onBudget,
}: {
  readonly plans: BudgetPlans;
  readonly at: BudgetPlan;
  readonly onBudget: (place: number) => void;
}): VNode {
  const points = speedCurve(plans);
  const end = plans.plans.at(-1)?.budget_bytes ?? 0;
  const mostBytes = Math.max(1, points.at(-1)?.budget_bytes ?? 1);
  const mostSpeed = points.reduce(
    (most, { predicted_tokens_per_second: speed }) => Math.max(most, speed),
    1e-9,
  );
  const axis = { mostBytes, mostSpeed: 1.08 * mostSpeed };
  const within = points.filter(({ budget_bytes }) => budget_bytes <= end);
  const beyond = points.filter(({ budget_bytes }) => budget_bytes >= end);
  const share = { x: at.budget_bytes / mostBytes, y: yOf(at, axis) / height };
  const point = (event: PointerEvent): void => {
    const target = event.currentTarget as Element;
    if (event.type === "pointerdown") target.setPointerCapture(event.pointerId);
    else if (event.buttons === 0) return;
    const { left, width: wide } = target.getBoundingClientRect();
    const bytes = ((event.clientX - left) / wide) * mostBytes;
    onBudget(nearest(plans, bytes));
  };
  return (
    <figure class="curve">
      <figcaption>
        <h2>{texts.plan.curve}</h2>
      </figcaption>
      <div class="axes">
        <span class="speed-most">{texts.plan.speed(axis.mostSpeed / 1.08)}</span>
        <div class="drawing" onPointerDown={point} onPointerMove={point}>
          <svg
            viewBox={`0 0 ${width} ${height}`}
            preserveAspectRatio="none"
            role="img"
            aria-label={texts.plan.curveSummary(points)}
          >
            {beyond.length > 1 && (
              <rect
                class="beyond"
                x={(end / mostBytes) * width}
                y={0}
                width={width - (end / mostBytes) * width}
                height={height}
              />
            )}
            <path class="area" d={`${pathOf(within, axis)} V${height} H0 Z`} />
            <path class="line" d={pathOf(within, axis)} />
            {beyond.length > 1 && <path class="line dashed" d={pathOf(beyond, axis)} />}
            <line class="here" x1={share.x * width} x2={share.x * width} y1={0} y2={height} />
          </svg>
          <span
            class="marker"
            style={{ left: `${100 * share.x}%`, top: `${100 * share.y}%` }}
            aria-hidden="true"
          />
        </div>
        <div class="ticks">
          <span>0</span>
          {beyond.length > 1 && (
            <span class="card-end" style={{ left: `${(100 * end) / mostBytes}%` }}>
              {texts.plan.bytes(end)}
            </span>
          )}
          <span>{texts.plan.bytes(mostBytes)}</span>
        </div>
      </div>
    </figure>
  );
}

interface Axis {
  readonly mostBytes: number;
  readonly mostSpeed: number;
}

function yOf(point: BudgetPoint, { mostSpeed }: Axis): number {
  return height - (point.predicted_tokens_per_second / mostSpeed) * height;
}

function pathOf(points: readonly BudgetPoint[], axis: Axis): string {
  const places = points.map((point) => {
    const x = (point.budget_bytes / axis.mostBytes) * width;
    return `${x.toFixed(1)} ${yOf(point, axis).toFixed(1)}`;
  });
  return `M${places.join(" L")}`;
}

/** The place of the budget that is nearest. */
function nearest(plans: BudgetPlans, bytes: number): number {
  const below = placeOfBudget(plans, bytes);
  const [low, high] = [plans.plans[below], plans.plans[below + 1]];
  if (low === undefined || high === undefined) return below;
  return bytes - low.budget_bytes > high.budget_bytes - bytes ? below + 1 : below;
}

/** What each further GiB brings, one row each. */
export function FurtherTable({ plan }: { readonly plan: BudgetPlan }): VNode {
  if (plan.further.length === 0) return <p class="hint">{texts.plan.nothingFurther}</p>;
  const rows = plan.further.map((point, index) => {
    const before = plan.further[index - 1] ?? plan;
    return { point, gain: point.predicted_tokens_per_second - before.predicted_tokens_per_second };
  });
  return (
    <table class="further">
      <caption>{texts.plan.further}</caption>
      <tbody>
        {rows.map(({ point, gain }) => (
          <tr key={point.budget_bytes}>
            <th scope="row">{texts.plan.bytes(point.budget_bytes)}</th>
            <td>{texts.plan.speed(point.predicted_tokens_per_second)}</td>
            <td>{texts.plan.gain(gain)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** A recorded answer: its tokens, its numbers, the picture of its neurons, and what explains them. */
import type { VNode } from "preact";
import { useCallback, useMemo, useState } from "preact/hooks";
import { timeText } from "../texts/map.ts";
import { texts } from "../texts.ts";
import type { Facts } from "./frames.ts";
import { LayerTable } from "./layer-table.tsx";
import { NeuronCanvas, type Order } from "./neuron-canvas.tsx";
import {
  type Choice,
  type CurvePoint,
  hitShareOf,
  type MapNumbers,
  numbersOf,
  powerCurve,
  shareFor,
} from "./numbers.ts";
import { PowerCurve } from "./power-curve.tsx";
import type { Recording } from "./recording.ts";
import { TimeBars } from "./time-bars.tsx";
import { choiceText, TokenStrip } from "./token-strip.tsx";

/** Where there is no plan, the card that is supposed at first. */
const supposedCut = 0.2;

export interface MapStageProps {
  readonly recording: Recording;
  readonly change: number;
}

export function MapStage({ recording, change }: MapStageProps): VNode {
  const { facts } = recording;
  const [choice, setChoice] = useState<Choice>();
  const [order, setOrder] = useState<Order>(facts.profileTokens > 0 ? "busy" : "file");
  const [ownCut, setOwnCut] = useState<number>();
  const [drawn, setDrawn] = useState(0);
  const choose = useCallback((next: Choice | undefined): void => {
    setChoice((old) => (old?.first === next?.first && old?.last === next?.last ? old : next));
  }, []);
  // While it is written, the picture is of the newest token.
  const last = recording.tokens.length - 1;
  const shown = choice ?? (recording.isEnded ? undefined : { first: last, last });
  const numbers = useMemo(
    () => numbersOf(recording, shown),
    [recording, change, shown?.first, shown?.last],
  );
  const hasNeurons = recording.counts.some((counts) => counts.some((count) => count > 0));
  const isForgotten = choice !== undefined && choice.first < recording.forgotten;
  const curve = useMemo(
    () => curveOf(recording),
    [recording, recording.isEnded ? change : last >> 4],
  );
  const held = useMemo(() => hitShareOf(facts, recording.tokens), [curve]);
  const planned = hotShareOf(facts);
  const cut = ownCut ?? planned ?? supposedCut;
  const token = recording.tokens[shown?.last ?? last];
  const caption = choiceText(recording, choice);
  return (
    <>
      <TokenStrip recording={recording} change={change} choice={choice} onChoose={choose} />
      <p class="shown-of">{caption}</p>
      <Numbers recording={recording} numbers={numbers} curve={curve} />
      <p class="why">{whyText(facts)}</p>
      {hasNeurons && (
        <section class="card" aria-labelledby="picture-title">
          <div class="card-head">
            <h2 id="picture-title">
              {facts.unit === "expert" ? texts.map.picture.experts : texts.map.picture.title}
            </h2>
            <OrderPicker order={order} onPick={setOrder} />
          </div>
          <NeuronCanvas
            recording={recording}
            change={change}
            choice={shown}
            order={order}
            onDrawn={setDrawn}
          />
          {isForgotten && <p class="note">{texts.map.picture.forgotten}</p>}
          <Legend hasCard={planned !== undefined} />
        </section>
      )}
      <div class="side-by-side">
        {curve.length > 0 && (
          <PowerCurve
            points={curve}
            unit={facts.unit}
            cut={cut}
            held={ownCut === undefined ? held : undefined}
            hasProfile={facts.profileTokens > 0}
            onCut={setOwnCut}
          />
        )}
        <TimeBars
          numbers={numbers}
          unit={facts.unit}
          timeline={token?.timeline ?? []}
          timelineEnd={token?.stepTime ?? 0}
        />
      </div>
      <LayerTable recording={recording} numbers={numbers} caption={caption} />
      <p class="cost">{costText(recording, drawn)}</p>
    </>
  );
}

interface NumbersProps {
  readonly recording: Recording;
  readonly numbers: MapNumbers;
  readonly curve: readonly CurvePoint[];
}

function Numbers({ recording, numbers, curve }: NumbersProps): VNode {
  const labels = texts.map.numbers;
  const { percent } = texts.map;
  const { facts, tokens } = recording;
  const { activeShare, active, neurons, bytesTouched, bytesDense, hitShare, stepTime } = numbers;
  const rows = Math.max(...tokens.map((token) => token.rows));
  return (
    <dl class="figures">
      <Figure
        name={facts.unit === "expert" ? labels.experts : labels.computed}
        value={percent(activeShare)}
        note={
          facts.unit === "expert" ? expertsText(recording, numbers) : labels.of(active, neurons)
        }
      />
      <Figure
        name={labels.unread}
        value={percent(Math.max(0, 1 - bytesTouched / Math.max(1, bytesDense)))}
        note={labels.read(bytesTouched, bytesDense)}
      />
      {hitShare !== undefined ? (
        <Figure
          name={labels.hits}
          value={percent(hitShare)}
          note={labels.hitsOf(facts.expectedHotShare ?? 0)}
        />
      ) : (
        curve.length > 0 && (
          <Figure
            name={labels.half}
            value={percent(shareFor(curve, 0.5))}
            note={labels.halfOf(facts.unit)}
          />
        )
      )}
      <Figure
        name={labels.step}
        value={timeText(stepTime)}
        note={rows > 1 ? labels.shared(rows) : labels.steps(1000 / Math.max(1e-6, stepTime))}
      />
    </dl>
  );
}

function expertsText({ facts }: Recording, { active, neurons, layers }: MapNumbers): string {
  const count = facts.layers.reduce((sum, { experts }) => sum + (experts?.count ?? 0), 0);
  const used = layers.reduce(
    (sum, layer, at) => sum + (facts.layers[at]?.experts === undefined ? 0 : layer.active),
    0,
  );
  return texts.map.numbers.usedOf(used, count, active, neurons);
}

interface FigureProps {
  readonly name: string;
  readonly value: string;
  readonly note: string;
}

function Figure({ name, value, note }: FigureProps): VNode {
  return (
    <div>
      <dt>{name}</dt>
      <dd>
        <b>{value}</b>
        <span>{note}</span>
      </dd>
    </div>
  );
}

interface OrderPickerProps {
  readonly order: Order;
  onPick(order: Order): void;
}

function OrderPicker({ order, onPick }: OrderPickerProps): VNode {
  const labels = texts.map.picture;
  return (
    <div class="choices" role="group" aria-label={labels.order}>
      {(["file", "busy"] as const).map((one) => (
        <button key={one} type="button" aria-pressed={order === one} onClick={() => onPick(one)}>
          {labels.orders[one]}
        </button>
      ))}
    </div>
  );
}

function Legend({ hasCard }: { readonly hasCard: boolean }): VNode {
  const labels = texts.map.picture;
  return (
    <>
      <ul class="key">
        <li class="key-resting">{labels.rest}</li>
        <li class="key-faint">{labels.faint}</li>
        <li class="key-cold">
          {labels.bright}, {labels.cold}
        </li>
        {hasCard && (
          <li class="key-hot">
            {labels.bright}, {labels.hot}
          </li>
        )}
      </ul>
      {hasCard && <p class="note">{labels.uncounted}</p>}
    </>
  );
}

/** The order is the profile's where there is one: that is what a plan goes by. */
function curveOf({ facts, counts }: Recording): readonly CurvePoint[] {
  return powerCurve(
    counts.map((own, layer) => facts.layers[layer]?.profile ?? own),
    counts,
  );
}

/** Of all neurons, those on the card; undefined without a plan. */
function hotShareOf({ layers }: Facts): number | undefined {
  const known = layers.filter(({ hot }) => hot !== undefined);
  if (known.length === 0) return undefined;
  const all = layers.reduce((sum, { neurons, experts }) => sum + (experts?.count ?? neurons), 0);
  const hot = layers.reduce((sum, layer) => sum + (layer.hot?.reduce((a, b) => a + b, 0) ?? 0), 0);
  return hot / Math.max(1, all);
}

function whyText({ method, activation, layers }: Facts): string {
  const labels = texts.map.why;
  const experts = layers.find((layer) => layer.experts !== undefined)?.experts;
  if (experts !== undefined) return labels.experts(experts.used, experts.count);
  switch (method) {
    case "dense":
      return labels.dense(activation);
    case "gate":
      return labels.gate(activation);
    case "mlp":
    case "sign":
      return labels.predicted;
    default:
      return labels.threshold;
  }
}

function costText({ tokens, pieces }: Recording, drawn: number): string {
  const last = tokens.at(-1);
  const shown = Math.max(1, tokens.length);
  return texts.map.cost(
    tokens.length,
    pieces.length,
    (last?.bytes ?? 0) / shown,
    (last?.showingTime ?? 0) / shown,
    drawn,
  );
}

/** The map's numbers by layer: for whoever reads rather than looks. */
import type { VNode } from "preact";
import { timeText } from "../texts/map.ts";
import { texts } from "../texts.ts";
import type { MapNumbers } from "./numbers.ts";
import type { Recording } from "./recording.ts";

export interface LayerTableProps {
  readonly recording: Recording;
  readonly numbers: MapNumbers;
  readonly caption: string;
}

export function LayerTable({ recording, numbers, caption }: LayerTableProps): VNode {
  const labels = texts.map.table;
  const { layers } = numbers;
  const hasExperts = recording.facts.layers.some(({ experts }) => experts !== undefined);
  const has = {
    profile: layers.some(({ profileShare }) => profileShare !== undefined),
    hits: layers.some(({ hitShare }) => hitShare !== undefined),
    time: layers.some(({ time }) => time !== undefined),
  };
  return (
    <details class="card by-layer">
      <summary>{labels.title}</summary>
      <div class="scroll" tabIndex={0} role="region" aria-label={labels.title}>
        <table>
          <caption>{caption}</caption>
          <thead>
            <tr>
              <th scope="col">{labels.layer}</th>
              <th scope="col">{labels.neurons}</th>
              <th scope="col">{labels.computed}</th>
              <th scope="col">%</th>
              {hasExperts && <th scope="col">{labels.experts}</th>}
              {has.profile && <th scope="col">{labels.profile}</th>}
              {has.hits && <th scope="col">{labels.hits}</th>}
              <th scope="col">{labels.bytes}</th>
              {has.time && <th scope="col">{labels.time}</th>}
            </tr>
          </thead>
          <tbody>
            {layers.map((one, layer) => (
              <tr key={layer}>
                <th scope="row">{layer + 1}</th>
                <td>{texts.map.count(one.neurons)}</td>
                <td>{texts.map.count(one.activeShare * one.neurons)}</td>
                <td>{texts.map.percent(one.activeShare)}</td>
                {hasExperts && <td>{expertsOf(recording, layer, one.active)}</td>}
                {has.profile && <td>{shareText(one.profileShare)}</td>}
                {has.hits && <td>{shareText(one.hitShare)}</td>}
                <td>{texts.map.bytes(one.bytesTouched)}</td>
                {has.time && <td>{one.time === undefined ? "" : timeText(one.time)}</td>}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  );
}

function expertsOf({ facts }: Recording, layer: number, active: number): string {
  const experts = facts.layers[layer]?.experts;
  return experts === undefined ? "" : texts.map.numbers.of(active, experts.count);
}

function shareText(share: number | undefined): string {
  return share === undefined ? "" : texts.map.percent(share);
}

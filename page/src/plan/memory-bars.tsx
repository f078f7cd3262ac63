/** What card and processor hold, as two bars on one scale. */
import type { VNode } from "preact";
import { texts } from "../texts.ts";
import { type BudgetPlan, type DeviceName, memoryParts, type Unit } from "./budget-plans.ts";

interface MemoryBarsProps {
  readonly plan: BudgetPlan;
  readonly unit: Unit;
}

export function MemoryBars({ plan, unit }: MemoryBarsProps): VNode {
  const most = Math.max(1, plan.gpu_bytes, plan.cpu_bytes);
  return (
    <section class="memory" aria-label={texts.plan.memory}>
      <h2>{texts.plan.memory}</h2>
      <Bar device="gpu0" bytes={plan.gpu_bytes} most={most} plan={plan} unit={unit} />
      <Bar device="cpu" bytes={plan.cpu_bytes} most={most} plan={plan} unit={unit} />
    </section>
  );
}

interface BarProps extends MemoryBarsProps {
  readonly device: DeviceName;
  readonly bytes: number;
  readonly most: number;
}

function Bar({ device, bytes, most, plan, unit }: BarProps): VNode {
  const parts = memoryParts(plan.memory[device]);
  const neurons = device === "cpu" ? "cold" : "hot";
  return (
    <div class="device">
      <p>
        <strong>{texts.plan.devices[device]}</strong> {texts.plan.bytes(bytes)}
      </p>
      <div class="stack" aria-hidden="true">
        {parts.map(([part, size]) => (
          <span
            key={part}
            class={part === "neurons" ? neurons : part}
            style={{ width: `${(100 * size) / most}%` }}
          />
        ))}
      </div>
      <ul class="legend">
        {parts.map(([part, size]) => (
          <li key={part} class={part === "neurons" ? neurons : part}>
            {part === "neurons" ? texts.plan.units[unit].all : texts.plan.parts[part]}{" "}
            {texts.plan.bytes(size)}
          </li>
        ))}
      </ul>
    </div>
  );
}

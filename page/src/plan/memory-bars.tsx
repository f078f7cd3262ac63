/** What card and processor hold, as two bars on one scale. */
import type { VNode } from "preact";
import { texts } from "../texts.ts";
import { type BudgetPlan, type DeviceName, memoryParts } from "./budget-plans.ts";

export function MemoryBars({ plan }: { readonly plan: BudgetPlan }): VNode {
  const most = Math.max(1, plan.gpu_bytes, plan.cpu_bytes);
  return (
    <section class="memory" aria-label={texts.plan.memory}>
      <h2>{texts.plan.memory}</h2>
      <Bar device="gpu0" bytes={plan.gpu_bytes} most={most} plan={plan} />
      <Bar device="cpu" bytes={plan.cpu_bytes} most={most} plan={plan} />
    </section>
  );
}

interface BarProps {
  readonly device: DeviceName;
  readonly bytes: number;
  readonly most: number;
  readonly plan: BudgetPlan;
}

function Bar({ device, bytes, most, plan }: BarProps): VNode {
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
            {texts.plan.parts[part]} {texts.plan.bytes(size)}
          </li>
        ))}
      </ul>
    </div>
  );
}

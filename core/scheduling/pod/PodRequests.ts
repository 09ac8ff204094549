// What a pod asks for, added up as the kubelet and the scheduler add it: containers, sidecars, init containers, overhead, requests of the
// whole pod, and what a resize in place has already been given (component-helpers' resource package).
// Owns that arithmetic on exact quantities; refuses to know nodes.
import { type KubeObject, Quantity, quantityOf } from "#kube"
import {
  type Amounts,
  type Container,
  type ContainerStatus,
  type PodSpecFields,
  type PodStatusFields,
  podSpecOf,
  podStatusOf
} from "./PodFields.ts"

export type Requests = Map<string, Quantity>

export interface RequestOptions {
  /** What a container that says nothing of a resource counts as asking for. */
  readonly missing?: ReadonlyMap<string, Quantity>
  /** Counts what the kubelet has allocated, where a resize is under way. */
  readonly useStatus?: boolean
  /** Leaves out what the pod as a whole asks for. */
  readonly containersOnly?: boolean
}

const zero = new Quantity(0, 0, "DecimalSI")

const readAmount = (value: string | number): Quantity => {
  const quantity = quantityOf(value)
  return quantity instanceof Quantity ? quantity : zero
}

const requestsOf = (amounts: Amounts | undefined): Requests => {
  const found: Requests = new Map()
  if (amounts !== undefined) for (const name in amounts) found.set(name, readAmount(amounts[name]))
  return found
}

const addAll = (into: Requests, more: ReadonlyMap<string, Quantity>): void => {
  for (const [name, quantity] of more) {
    const before = into.get(name)
    into.set(name, before === undefined ? quantity : before.add(quantity))
  }
}

const maxAll = (into: Requests, more: ReadonlyMap<string, Quantity>): void => {
  for (const [name, quantity] of more) {
    const before = into.get(name)
    if (before === undefined || quantity.compare(before) > 0) into.set(name, quantity)
  }
}

type Reading = (container: Container, status: ContainerStatus | undefined) => Amounts | undefined

const aggregate = (
  spec: PodSpecFields,
  status: PodStatusFields,
  options: RequestOptions,
  reading: Reading
): Requests => {
  const read = (container: Container): Requests => {
    const shown = options.useStatus === true ? statusOf(status, container.name) : undefined
    const requests = requestsOf(reading(container, shown))
    if (options.missing !== undefined)
      for (const [name, quantity] of options.missing) if (!requests.has(name)) requests.set(name, quantity)
    return requests
  }
  const result: Requests = new Map()
  for (const container of spec.containers ?? []) addAll(result, read(container))
  if (spec.initContainers === undefined || spec.initContainers.length === 0) return result
  const sidecars: Requests = new Map()
  const starting: Requests = new Map()
  for (const container of spec.initContainers) {
    const requests = read(container)
    if (container.restartPolicy === "Always") {
      addAll(result, requests)
      addAll(sidecars, requests)
      maxAll(starting, sidecars)
    } else {
      addAll(requests, sidecars)
      maxAll(starting, requests)
    }
  }
  maxAll(result, starting)
  return result
}

const statusOf = (status: PodStatusFields, name: string): ContainerStatus | undefined =>
  status.containerStatuses?.find((one) => one.name === name) ??
  status.initContainerStatuses?.find((one) => one.name === name)

const isResizeInfeasible = ({ conditions }: PodStatusFields): boolean =>
  conditions?.find(({ type }) => type === "PodResizePending")?.reason === "Infeasible"

const specReading: Reading = ({ resources }) => resources?.requests

const ofContainers = (spec: PodSpecFields, status: PodStatusFields, options: RequestOptions): Requests => {
  const declared = aggregate(spec, status, options, specReading)
  const touched =
    status.containerStatuses?.some(({ allocatedResources, resources }) => allocatedResources ?? resources) === true ||
    status.initContainerStatuses?.some(({ allocatedResources, resources }) => allocatedResources ?? resources) === true
  const infeasible = isResizeInfeasible(status)
  if (options.useStatus !== true || (!touched && status.allocatedResources === undefined && !infeasible))
    return declared
  const fallback = (container: Container): Amounts | undefined =>
    infeasible ? undefined : container.resources?.requests
  const whole = status.allocatedResources !== undefined && status.resources?.requests !== undefined
  const result = whole
    ? requestsOf(status.allocatedResources)
    : aggregate(spec, status, options, (container, shown) => shown?.allocatedResources ?? fallback(container))
  maxAll(
    result,
    whole
      ? requestsOf(status.resources?.requests)
      : aggregate(
          spec,
          status,
          options,
          (container, shown) => shown?.resources?.requests ?? shown?.allocatedResources ?? fallback(container)
        )
  )
  if (!infeasible) maxAll(result, declared)
  return result
}

const isPodLevel = (name: string): boolean => name === "cpu" || name === "memory" || name.startsWith("hugepages-")

/** Whether the pod itself, not only its containers, asks for CPU, memory or huge pages. */
export const hasPodLevelRequests = ({ resources }: PodSpecFields): boolean =>
  resources?.requests !== undefined && Object.keys(resources.requests).some(isPodLevel)

/** All that a pod asks for. */
export const podRequests = (pod: KubeObject, options: RequestOptions = {}): Requests => {
  const spec = podSpecOf(pod)
  const status = podStatusOf(pod)
  const result = ofContainers(spec, status, options)
  if (options.containersOnly !== true && hasPodLevelRequests(spec)) {
    const effective = requestsOf(spec.resources?.requests)
    if (options.useStatus === true && status.resources !== undefined) {
      if (isResizeInfeasible(status)) effective.clear()
      maxAll(effective, requestsOf(status.resources.requests))
      maxAll(effective, requestsOf(status.allocatedResources))
    }
    for (const [name, quantity] of effective) if (isPodLevel(name)) result.set(name, quantity)
  }
  if (spec.overhead !== undefined) addAll(result, requestsOf(spec.overhead))
  return result
}

const missingCpu = readAmount("100m")
const missingMemory = readAmount(200 * 1024 * 1024)

/** What scores count for containers that ask for no CPU or memory (upstream's DefaultMilliCPURequest and DefaultMemoryRequest). */
export const scoringMissing: ReadonlyMap<string, Quantity> = new Map([
  ["cpu", missingCpu],
  ["memory", missingMemory]
])

/** The same for a pod that is on a node: with requests of the whole pod, only what those leave out is filled in. */
export const placedMissing = (spec: PodSpecFields, requests: Requests): ReadonlyMap<string, Quantity> => {
  if (!hasPodLevelRequests(spec)) return scoringMissing
  return new Map(Array.from(scoringMissing).filter(([name]) => !requests.has(name)))
}

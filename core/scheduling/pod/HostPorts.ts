// Ports of the host that pods take: which are wanted, and which of them a node has given away.
// Owns the conflict rule (0.0.0.0 takes a port on every address); refuses to know who took a port.
import type { PodSpecFields } from "./PodFields.ts"

export interface HostPort {
  readonly ip: string
  /** "TCP/8080". */
  readonly port: string
}

const ANY = "0.0.0.0"

const none: ReadonlyArray<HostPort> = []

/** The host ports of a pod's containers and sidecars (upstream's GetHostPorts). */
export const hostPortsOf = ({ containers = [], initContainers = [] }: PodSpecFields): ReadonlyArray<HostPort> => {
  let found: Array<HostPort> | undefined
  const take = (ports: (typeof containers)[number]["ports"]): void => {
    for (const { hostIP = "", hostPort = 0, protocol = "" } of ports ?? [])
      if (hostPort > 0)
        (found ??= []).push({
          ip: hostIP === "" ? ANY : hostIP,
          port: `${protocol === "" ? "TCP" : protocol}/${hostPort}`
        })
  }
  for (const { ports } of containers) if (ports !== undefined) take(ports)
  for (const { ports, restartPolicy } of initContainers) if (restartPolicy === "Always") take(ports)
  return found ?? none
}

/** The host ports in use on one node, with how many pods use each. */
export class PortUse {
  private readonly byPort = new Map<string, Map<string, number>>()

  add(ports: ReadonlyArray<HostPort>): void {
    for (const { ip, port } of ports) {
      let ips = this.byPort.get(port)
      if (ips === undefined) this.byPort.set(port, (ips = new Map()))
      ips.set(ip, (ips.get(ip) ?? 0) + 1)
    }
  }

  remove(ports: ReadonlyArray<HostPort>): void {
    for (const { ip, port } of ports) {
      const ips = this.byPort.get(port)
      const left = (ips?.get(ip) ?? 1) - 1
      if (left > 0) ips?.set(ip, left)
      else if (ips?.delete(ip) === true && ips.size === 0) this.byPort.delete(port)
    }
  }

  conflicts(ports: ReadonlyArray<HostPort>): boolean {
    for (const { ip, port } of ports) {
      const ips = this.byPort.get(port)
      if (ips === undefined) continue
      if (ip === ANY || ips.has(ANY) || ips.has(ip)) return true
    }
    return false
  }
}

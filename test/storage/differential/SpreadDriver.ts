// Several nodes of one store as one: each call, and each stream, goes to the next node.
// Owns the turns; refuses to wait for nodes to agree: whichever is asked must answer as if it were the only one.
import type { ClientDuplexStream } from "@grpc/grpc-js"
import { type Driver, type Fields, GrpcDriver, type MethodName, type Outcome } from "../GrpcDriver.ts"

export class SpreadDriver implements Driver {
  private readonly drivers: ReadonlyArray<GrpcDriver>
  private turns = 0

  constructor(addresses: ReadonlyArray<string>) {
    this.drivers = addresses.map((address) => new GrpcDriver(address))
  }

  private next(): GrpcDriver {
    return this.drivers[this.turns++ % this.drivers.length]
  }

  call(name: MethodName, request: object): Promise<Outcome> {
    return this.next().call(name, request)
  }

  ask(name: MethodName, request: object): Promise<Fields> {
    return this.next().ask(name, request)
  }

  gather(name: MethodName, requests: ReadonlyArray<object>): Promise<Outcome> {
    return this.next().gather(name, requests)
  }

  open(name: MethodName): ClientDuplexStream<object, Fields> {
    return this.next().open(name)
  }

  async ready(timeoutMs?: number): Promise<void> {
    await Promise.all(this.drivers.map((driver) => driver.ready(timeoutMs)))
  }

  close(): void {
    for (const driver of this.drivers) driver.close()
  }
}

// gRPC's own health service, for load balancers and probes that speak gRPC.
// Owns the one status that the process has and who waits for its change; refuses to find out how the store does.
// Source: grpc/health/v1/health.proto; like etcd's it knows the service "" alone.
import { field, GrpcCode, message, type GrpcMethod, type StreamCall } from "#net"
import { EtcdFailure } from "../rpc/EtcdFailure.ts"
import { answer, decode, failCall, unary } from "./ApiContext.ts"

const HealthCheckRequest = message({ service: field(1, "string") })
const HealthCheckResponse = message({ status: field(1, "int32") })
const Status = { Serving: 1, NotServing: 2, ServiceUnknown: 3 } as const

const unknownService = new EtcdFailure(GrpcCode.NotFound, "unknown service")

export class Health {
  private serving = true
  private readonly waiting = new Set<StreamCall>()

  /** From now on the answer is NOT_SERVING: the process has been asked to stop. */
  stopServing(): void {
    this.serving = false
    for (const call of this.waiting) this.tell(call)
  }

  get methods(): ReadonlyArray<GrpcMethod> {
    return [
      unary("/grpc.health.v1.Health/Check", HealthCheckRequest, ({ service }, call) =>
        answer(call, HealthCheckResponse, service === "" ? { status: this.status } : unknownService)
      ),
      {
        path: "/grpc.health.v1.Health/Watch",
        stream: (call) => ({ message: (bytes) => this.watch(call, bytes), end: () => undefined })
      }
    ]
  }

  private get status(): number {
    return this.serving ? Status.Serving : Status.NotServing
  }

  private watch(call: StreamCall, bytes: Uint8Array): void {
    const request = decode(HealthCheckRequest, bytes)
    if (request instanceof EtcdFailure) return failCall(call, request)
    if (request.service !== "") {
      call.send(HealthCheckResponse.encode({ status: Status.ServiceUnknown }))
      return
    }
    this.waiting.add(call)
    call.onCancel = () => void this.waiting.delete(call)
    this.tell(call)
  }

  private tell(call: StreamCall): void {
    call.send(HealthCheckResponse.encode({ status: this.status }))
  }
}

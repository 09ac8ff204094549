// The admission plugins of a server, called one after the other: all that mutate, then all that validate.
// Owns the order; refuses any rule. Plugins that answer before they return cost no turn of the loop and no stack.
import { ApiFailure, type KubeObject } from "#kube"
import type { AdmissionPlugin, AdmissionRequest, Admitted } from "../Access.ts"

export class AdmissionChain {
  private plugins: ReadonlyArray<AdmissionPlugin>

  constructor(plugins: ReadonlyArray<AdmissionPlugin>) {
    this.plugins = plugins
  }

  /** Asks these instead, from the next request on: plugins that need the server are made after it. */
  use(plugins: ReadonlyArray<AdmissionPlugin>): void {
    this.plugins = plugins
  }

  /** Whether there is nobody to ask. */
  get isEmpty(): boolean {
    return this.plugins.length === 0
  }

  /** Whether any plugin wants to see a request. */
  asks(request: AdmissionRequest): boolean {
    const { plugins } = this
    for (let at = 0; at < plugins.length; at++) if (plugins[at].handles(request)) return true
    return false
  }

  /** Answers the object as the plugins leave it, or the first refusal; warnings are added as they come. */
  mutate(
    request: AdmissionRequest,
    warnings: Array<string>,
    done: (object: KubeObject | undefined | ApiFailure) => void
  ): void {
    const { plugins } = this
    let current = request
    const from = (start: number): void => {
      for (let at = start; at < plugins.length; at++) {
        const plugin = plugins[at]
        if (plugin.mutate === undefined || !plugin.handles(current)) continue
        let answered: Admitted | undefined
        let returned = false
        plugin.mutate(current, (admitted) => {
          answered = admitted
          if (returned && take(admitted)) from(at + 1)
        })
        returned = true
        if (answered === undefined || !take(answered)) return
      }
      done(current.object)
    }
    const take = (admitted: Admitted): boolean => {
      if (admitted instanceof ApiFailure) {
        done(admitted)
        return false
      }
      if (admitted.warnings !== undefined) warnings.push(...admitted.warnings)
      if (admitted.object !== current.object) current = { ...current, object: admitted.object }
      return true
    }
    from(0)
  }

  /** Answers the first refusal, or nothing; warnings are added as they come. */
  validate(request: AdmissionRequest, warnings: Array<string>, done: (failure: ApiFailure | undefined) => void): void {
    const { plugins } = this
    const from = (start: number): void => {
      for (let at = start; at < plugins.length; at++) {
        const plugin = plugins[at]
        if (plugin.validate === undefined || !plugin.handles(request)) continue
        let answered = false
        let refused: ApiFailure | undefined
        let returned = false
        plugin.validate(request, (failure, warned) => {
          if (warned !== undefined) warnings.push(...warned)
          answered = true
          refused = failure
          if (!returned) return
          if (failure !== undefined) done(failure)
          else from(at + 1)
        })
        returned = true
        if (!answered) return
        if (refused !== undefined) return done(refused)
      }
      done(undefined)
    }
    from(0)
  }
}

import JobModel
import PipelineDefinition

extension Pipeline {
  /// A run of one load and nothing before it, which repairs tables of a target.
  package func plan(_ reload: LoadPayload.Reload) throws -> RunPlan {
    RunPlan(
      pipeline: name, urgencyClass: -priority, weight: weight, concurrency: concurrency,
      handsOver: onDeploy == .handover, jobs: [],
      loads: [
        RunPlan.Job(
          kind: StageJob.load, stage: "load", label: reload.target, payload: try LoadPayload(reload: reload).text)
      ])
  }
}

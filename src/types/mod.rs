//! Plain values shared by every other module.
//!
//! Must not know: tensors, windows, threads or files. Nothing here does I/O, so everything can be tested by value.

mod adapt;
mod error;
mod few_shot;
mod glob;
mod ids;
mod licences;
mod models;
mod pictures;
mod printable;
mod prompts;
mod random;
mod sites;
mod training;

pub use adapt::interval::mean_interval;
pub use adapt::point::{AdaptCell, AdaptMetric, AdaptPoint, AdaptReport, adapt_curve};
pub use adapt::price::{AdaptPrice, PriceAssumptions};
pub use adapt::spec::{AdaptPrompt, AdaptSpec, AdaptTraining, FeaturePooling, LabelNoise, draw_examples};
pub use adapt::way::Way;
pub use error::UserError;
pub use few_shot::columns::{Columns, label_column, text_column};
pub use few_shot::delimited::next_cell;
pub use few_shot::draw::Draw;
pub use few_shot::few_shot_task::{FewShotTask, MixtureStage, TextSource};
pub use few_shot::kshot::{
    Answer, BatchReport, BatchSpec, KShotPoint, KShotReport, KShotSpec, LabelTreatment, Variant,
};
pub use few_shot::rows::PairRows;
pub use few_shot::task_table::{TableReport, TableWarning, TaskKind, TaskTable};
pub use ids::{JobId, ModelId};
pub use licences::{Component, Licence, components};
pub use models::adapter::{ADAPTER_FACTORS, AdapterInfo, AdapterSetting, LoraSpec, lora_scale};
pub use models::card::{CardFile, ModelCard, TypeShare, weight_bytes};
pub use models::cell::RecurrentCell;
pub use models::classifier::{ClassifierInfo, ClassifyReport, Problem, TextClasses};
pub use models::convert::{ConvertSpec, ConvertTarget, ConvertType, Converted};
pub use models::encoder::{Embedding, EmbeddingReport, EncoderInfo, FillReport, FilledMask, Pooling, cosine};
pub use models::gguf_name::{GgufPart, gguf_stem, is_first_gguf};
pub use models::held_out::HeldOut;
pub use models::hidden_layers::{HiddenLayers, Nonlinearity};
pub use models::model::{Architecture, DeviceChoice, DeviceStatus, ModelInfo, ModelKind, Precision, Quantised};
pub use models::name::{is_snapshot, model_name};
pub use models::shape::{Ability, Blocks, Layers, Shape, Stack};
pub use models::size::{bytes_in_words, count_in_words};
pub use models::tensor::{TensorEntry, TensorStats};
pub use models::traffic::MemoryTraffic;
pub use pictures::colormap::{ColorMap, category_colour, diverging};
pub use pictures::digit::{
    CANVAS_SIDE, Classification, DIGIT_SIDE, DigitImage, Drawing, LayerActivation, LayerWeights, Stroke,
};
pub use pictures::picture::{ClassProbability, Picture, PictureReport, VisionInfo};
pub use pictures::weight_scale::{ScaleCurve, ScaleEnd, WeightScale};
pub use printable::{is_unprintable, printable, printable_lines};
pub use prompts::bias::{BiasHit, BiasReport, BiasedToken, LogitBias};
pub use prompts::chat::{
    ChatEnding, ChatFailure, ChatFormat, ChatMessage, ChatPrompt, ChatRole, ChatTurn, LINES_END, RenderedChat,
};
pub use prompts::forget::{ForgetReport, LayerStates, StatePart, StatesReport};
pub use prompts::own_sampling::OwnSampling;
pub use prompts::prompt::{FewShotPrompt, RenderedPrompt, Segment, SegmentKind, Shot};
pub use prompts::run::{
    BrokenReport, Capture, EvaluateSpec, EvaluationReport, FullPrecision, GenerationStats, InspectReport, StopReason,
    Values,
};
pub use prompts::samples::{Agreement, DrawnSample, SamplesReport};
pub use prompts::sampling::Sampling;
pub use prompts::score::{
    CONTENT_FREE, CandidateScore, ScoreEachReport, ScoreEachRequest, ScoreReport, ScoreRequest, ScoredToken,
};
pub use prompts::surprise::{SurpriseReport, SurpriseToken};
pub use prompts::token::{Candidate, GeneratedToken, Grouping, NamedSpan, PromptToken, TokenizeReport, excerpt};
pub use random::Random;
pub use sites::attribution::{AddedPart, AttributionReport, RemovedPart};
pub use sites::contexts::{ContextLayer, ContextsReport};
pub use sites::edit::{Edit, Picks};
pub use sites::edit_change::{EditChange, PromptSet};
pub use sites::edited_next::{EditFaults, EditedNext, NextToken};
pub use sites::head_writes::HeadWrites;
pub use sites::jacobian::{FitSpec, JacobianLens, LensPassages};
pub use sites::lens::{LensCell, LensReport, LensTarget};
pub use sites::neighbours::NeighboursReport;
pub use sites::patch::{PatchAlong, PatchCell, PatchReport, PatchSite};
pub use sites::site::{Axis, Site, SiteFilter, SiteSet};
pub use sites::steps::{AddedByBlock, StepKind, StepValues, StepsReport, Term, TermsReport};
pub use sites::sweep::{Effect, Part, Removal, SweepReport};
pub use sites::word_order::{ChangedAnswer, ChangedOrder, Reordering, WithoutOrder, WordOrderReport};
pub use training::baselines::{
    BaselinesReport, BaselinesSpec, BlankBaselines, BlankRow, GzipSize, NextBaselines, NextRow,
};
pub use training::classify::{ClassifyTask, LabelWords, Learns};
pub use training::encode::{BLANKS, BertShape, ContrastiveTask, EncoderInit, MaskedTask};
pub use training::glimpse::{Glimpse, GlimpseToken, Guess, Seen};
pub use training::imported::ImportedCurve;
pub use training::labelled::{DataPart, Labelled, LabelledKind, LabelledReport, LabelledRows, LabelledSource};
pub use training::losses::{
    BeforeModel, LossOrder, LossRow, LossToken, LossesData, LossesReport, LossesSpec, LossesSummary, ToldClass,
};
pub use training::memory::{MemoryKind, MemoryPoint, MemoryReport, MemorySpec, MemoryTask};
pub use training::pace::{PaceNetwork, PacePass, PacePoint, PaceProcessor, PaceReport, PaceSpec, PacedNetwork};
pub use training::record::{KeptRun, LossKind, RunBytes, RunRecord, RunSample, RunStart, RunState, TrainingCost};
pub use training::shape::{BYTE_VOCABULARY, FeedForwardShape, Init, LlamaShape, RecurrentShape, TextShape, Width};
pub use training::snapshot::{Confusion, HeadValues, Moved, RunSnapshot, SnapshotSteps, share_moved};
pub use training::train::{
    DigitLayers, DigitNetwork, DigitTask, LrSchedule, ParameterGroup, SetLoss, StartFrom, TextTask, TrainPoint,
    TrainSpec, TrainSummary, TrainTask, best_validation, broken_step,
};
pub use training::write_text::WriteTextSpec;

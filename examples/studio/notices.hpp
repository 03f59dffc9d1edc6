// What the page is told, as JSON.

#ifndef STUDIO_NOTICES_HPP
#define STUDIO_NOTICES_HPP

#include "exam.hpp"
#include "first_layer.hpp"
#include "lesson.hpp"
#include "run.hpp"

#include <optional>
#include <string>

namespace studio {

/// How far training is.
struct progress_notice {
    std::string phase; // training, paused, teaching, testing, stopped, finished
    std::string why;   // it has stopped by itself; empty when it has not
    std::size_t epoch; // how many are over
    std::size_t epochs;
    double done; // the share of the epoch under way, 0 to 1
    std::size_t steps;
    double speed; // images a second
    std::size_t test_digits; // how many there are
};

/// [step, loss, accuracy].
std::string point_json(std::size_t step, const point &made);

std::string state_json(const progress_notice &state);

/// What is being trained: {"network": as it was described, "shapes": of each layer's output, "parameters"}.
std::string network_json(const built &model);

/// Why a network is none: {"error": text, "layer": its number, or 0}.
std::string bad_network_json(const bad_network &bad);

/// A training that is over: {"network", "points": [[step, loss, accuracy]], "tests": likewise}.
std::string run_json(const run &over);

/// The first layer: {"height", "width", "count", "values": filter by filter}; a count of 0 when it has no filters to show.
std::string filters_json(const std::optional<filters> &shown);

/// All so far, one an epoch: {"tests": [[step, loss, accuracy]], "confusion": the last one's rows, by label}.
std::string exams_json(const std::vector<exam> &results);

/// {"epoch", "mistakes": [{"image", "label", "said", "probability", "picture"}]}.
std::string mistakes_json(std::size_t epoch, const mnist::dataset &test, const std::vector<mistake> &mistakes);

/// {"probabilities", "picture": what was asked about, "maps": {"height", "width", "values": what the first layer finds, or null}}.
std::string answer_json(const answer &said, const picture &about, const std::optional<feature_maps> &maps);

/// A test digit: {"image", "label", "picture"}.
std::string digit_json(std::size_t image, const digit &found);

std::string lesson_json(const lesson_report &report);

/// {"error": text}.
std::string failure_json(const std::string &text);

} // namespace studio

#endif

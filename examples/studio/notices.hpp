// What the page is told, as JSON.

#ifndef STUDIO_NOTICES_HPP
#define STUDIO_NOTICES_HPP

#include "exam.hpp"
#include "lesson.hpp"
#include "meter.hpp"

#include <string>

namespace studio {

/// How far training is.
struct progress_notice {
    std::string phase; // training, paused, teaching, testing, stopped, finished
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

/// The first layer: {"kernel": 3 x 3 numbers a filter, filter by filter, "bias": a number a filter}.
std::string filters_json(const mnist::model &model);

/// All so far, one an epoch: {"tests": [[step, loss, accuracy]], "confusion": the last one's rows, by label}.
std::string exams_json(const std::vector<exam> &results);

/// {"epoch", "mistakes": [{"image", "label", "said", "probability", "picture"}]}.
std::string mistakes_json(std::size_t epoch, const mnist::dataset &test, const std::vector<mistake> &mistakes);

/// {"probabilities", "picture": what was asked about}.
std::string answer_json(const answer &said, const picture &about);

/// A test digit: {"image", "label", "picture"}.
std::string digit_json(std::size_t image, const digit &found);

std::string lesson_json(const lesson_report &report);

/// {"error": text}.
std::string failure_json(const std::string &text);

} // namespace studio

#endif

// "No, that was a 7": a few steps on one digit.
//
// A network that sees one picture again and again learns it at once, and forgets others for it. So there is one copy of
// it in a batch, among digits that the network knows: that takes a step or two more, and costs a tenth of the accuracy
// that eight copies cost.

#ifndef STUDIO_LESSON_HPP
#define STUDIO_LESSON_HPP

#include "deck.hpp"

namespace studio {

/// What a lesson did.
struct lesson_report {
    answer before, after;
    std::size_t steps;
    bool known;                             // whether it is sure of the label now
    double accuracy_before, accuracy_after; // on test images: what the lesson cost elsewhere
};

namespace detail {

constexpr std::size_t lesson_batch = 32, lesson_round = 2, lesson_rounds = 60;
constexpr float sure = 0.8f;

/// A round's batches, each the new digit and known ones.
inline mnist::dataset lesson_batches(const digit &taught, deck &known)
{
    std::vector<std::uint8_t> pixels, labels;
    for (std::size_t i = 0; i < lesson_round * lesson_batch; i++) {
        const digit one = i % lesson_batch == 0 ? taught : known.draw();
        pixels.insert(pixels.end(), one.picture.begin(), one.picture.end());
        labels.push_back(one.label);
    }
    return dataset_of(pixels, labels);
}

} // namespace detail

/// Teaches the model one digit: rounds of two steps until it is sure, 60 rounds at most. `test` tells what that cost
/// elsewhere. No fit may be under way.
inline lesson_report teach(mnist::model &model, const digit &taught, deck &known, const mnist::dataset &test)
{
    lesson_report report{ask(model, taught.picture), {}, 0, false, model.evaluate(test).accuracy, 0};
    mnist::fit_options options;
    options.batch_size = detail::lesson_batch;
    options.shuffle = false;
    options.verbose = 0;
    for (std::size_t round = 0; round < detail::lesson_rounds && !report.known; round++) {
        model.fit(detail::lesson_batches(taught, known), options);
        report.steps += detail::lesson_round;
        report.after = ask(model, taught.picture);
        report.known = report.after[taught.label] >= detail::sure;
    }
    report.accuracy_after = model.evaluate(test).accuracy;
    return report;
}

} // namespace studio

#endif

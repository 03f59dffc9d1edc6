// What the test images say of the weights: a confusion matrix, and the mistakes the network was surest of.

#ifndef STUDIO_EXAM_HPP
#define STUDIO_EXAM_HPP

#include "digit.hpp"

namespace studio {

/// A test image that the network got wrong.
struct mistake {
    std::size_t image;
    std::size_t label, said;
    float probability; // of what it said
};

struct exam {
    std::size_t step; // after how many
    mnist::metrics metrics;
    std::vector<std::uint64_t> confusion; // [classes, classes], row: label, column: said
};

inline exam examine(const mnist::model &model, const mnist::dataset &test, std::size_t step)
{
    exam made{step, {}, {}};
    mnist::evaluate_options options;
    options.confusion = &made.confusion;
    made.metrics = model.evaluate(test, options);
    return made;
}

/// The `count` mistakes with the highest probability of the wrong class, the worst first.
inline std::vector<mistake> worst_mistakes(const mnist::model &model, const mnist::dataset &test, std::size_t count)
{
    const std::vector<float> said = model.predict(test);
    std::vector<mistake> found;
    for (std::size_t i = 0; i < test.size(); i++) {
        const auto row = said.begin() + static_cast<std::ptrdiff_t>(i * classes);
        const auto best = std::max_element(row, row + classes);
        const auto label = static_cast<std::size_t>(test.image(i).second);
        if (const auto chosen = static_cast<std::size_t>(best - row); chosen != label)
            found.push_back({i, label, chosen, *best});
    }
    const auto kept = found.begin() + static_cast<std::ptrdiff_t>(std::min(count, found.size()));
    std::partial_sort(found.begin(), kept, found.end(),
                      [](const mistake &a, const mistake &b) { return a.probability > b.probability; });
    found.erase(kept, found.end());
    return found;
}

} // namespace studio

#endif

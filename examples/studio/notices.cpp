#include "notices.hpp"

#include <nlohmann/json.hpp>

namespace studio {

namespace {

using nlohmann::json;

/// Text for all that is shown: a message from elsewhere may hold any bytes.
std::string text_of(const json &value)
{
    return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

/// Four decimals are as many as a page can show.
double rounded(double value) { return std::round(value * 1e4) / 1e4; }

template <typename Values> json rounded_all(const Values &values)
{
    json list = json::array();
    for (const auto value : values)
        list.push_back(rounded(value));
    return list;
}

/// 28 x 28 bytes as 1,568 hexadecimal digits.
std::string hex(const picture &bytes)
{
    constexpr char digits[] = "0123456789abcdef";
    std::string text;
    text.reserve(bytes.size() * 2);
    for (const std::uint8_t byte : bytes) {
        text += digits[byte / 16];
        text += digits[byte % 16];
    }
    return text;
}

} // namespace

std::string point_json(std::size_t step, const point &made)
{
    return text_of({step, rounded(made.loss), rounded(made.accuracy)});
}

std::string state_json(const progress_notice &state)
{
    return text_of({{"phase", state.phase},
                    {"epoch", state.epoch},
                    {"epochs", state.epochs},
                    {"done", rounded(state.done)},
                    {"steps", state.steps},
                    {"speed", std::round(state.speed)},
                    {"testDigits", state.test_digits}});
}

std::string filters_json(const mnist::model &model)
{
    const std::vector<float> kernel = model.get_weight("conv2d/kernel"); // [3, 3, 1, filters]
    const std::size_t filters = model.weight_shape("conv2d/kernel").back(), taps = kernel.size() / filters;
    json list = json::array();
    for (std::size_t f = 0; f < filters; f++)
        for (std::size_t tap = 0; tap < taps; tap++)
            list.push_back(rounded(kernel[tap * filters + f]));
    return text_of({{"kernel", list}, {"bias", rounded_all(model.get_weight("conv2d/bias"))}});
}

std::string exams_json(const std::vector<exam> &results)
{
    const exam &last = results.back();
    json rows = json::array(), tests = json::array();
    for (std::size_t label = 0; label < classes; label++) {
        const auto row = last.confusion.begin() + static_cast<std::ptrdiff_t>(label * classes);
        rows.push_back(std::vector<std::uint64_t>(row, row + classes));
    }
    for (const exam &one : results)
        tests.push_back({one.step, rounded(one.metrics.loss), one.metrics.accuracy});
    return text_of({{"tests", tests}, {"confusion", rows}});
}

std::string mistakes_json(std::size_t epoch, const mnist::dataset &test, const std::vector<mistake> &mistakes)
{
    json list = json::array();
    for (const mistake &one : mistakes)
        list.push_back({{"image", one.image},
                        {"label", one.label},
                        {"said", one.said},
                        {"probability", rounded(one.probability)},
                        {"picture", hex(digit_of(test, one.image).picture)}});
    return text_of({{"epoch", epoch}, {"mistakes", list}});
}

std::string answer_json(const answer &said, const picture &about)
{
    return text_of({{"probabilities", rounded_all(said)}, {"picture", hex(about)}});
}

std::string digit_json(std::size_t image, const digit &found)
{
    return text_of({{"image", image}, {"label", found.label}, {"picture", hex(found.picture)}});
}

std::string lesson_json(const lesson_report &report)
{
    return text_of({{"before", rounded_all(report.before)},
                    {"after", rounded_all(report.after)},
                    {"steps", report.steps},
                    {"known", report.known},
                    {"accuracyBefore", report.accuracy_before},
                    {"accuracyAfter", report.accuracy_after}});
}

std::string failure_json(const std::string &text) { return text_of({{"error", text}}); }

} // namespace studio

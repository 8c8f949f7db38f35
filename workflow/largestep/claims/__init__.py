"""Every theorem and caption of the paper as a check on finished runs.

What the checks take for granted of runs.parquet: the quantities from stable_phase_step on are
over *resolved* steps only, those whose update is large enough for the loss to show it,
stepsize ||grad L_t||^2 >= 2^20 eps L_t with eps the unit round-off of the run's dtype. A run
whose loss has fallen far below 1 / (stepsize t) in one jump moves by less than that, and its
differences L_t - L_{t+1} are rounding (science.md, traps 2 and 6).
"""
